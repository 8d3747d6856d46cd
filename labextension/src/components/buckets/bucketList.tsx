import { ellipsesIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { IBucket } from '../../documents';
import { bucketIcon } from '../../icons';
import { IEntry, openMenu } from '../../menu';
import { IconButton, Name } from '../basics';
import { useNaas } from '../context';
import { useBuckets } from './context';
import { DeleteBucket } from './deleteDialogs';
import { Grid, IRow } from './grid';
import { When } from './when';

/** One's own buckets first, then those that others have opened. */
export function BucketList({ buckets, now }: { buckets: IBucket[]; now: Date }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser, ask } = useBuckets();
  const open = (name: string) => browser.open({ bucket: name, prefix: '' });
  const menu = (name: string, anchor: HTMLElement) => openMenu(anchor, entries(name));

  const entries = (name: string): IEntry[] => [
    { label: trans.__('Open'), execute: () => open(name) },
    {
      label: trans.__('Delete…'),
      enabled: buckets.some(bucket => bucket.own && bucket.name === name),
      execute: () => ask(close => <DeleteBucket name={name} close={close} />)
    }
  ];

  const rows = buckets.map((bucket): IRow => {
    const { name, own, created_at, versioning, object_lock } = bucket;
    const kind = own ? trans.__('Yours') : trans.__('Shared');
    const keeps = [
      versioning ? trans.__('earlier versions') : '',
      object_lock ? trans.__('locks') : ''
    ].filter(text => text !== '');
    return {
      key: name,
      name,
      label: [name, kind, ...keeps].join(', '),
      icon: <bucketIcon.react tag="span" aria-hidden="true" />,
      cells: [
        <button type="button" className="jp-Naas-open" tabIndex={-1} onClick={() => open(name)}>
          <Name text={name} />
        </button>,
        kind,
        keeps.join(', '),
        <When at={created_at} now={now} />
      ],
      actions: (
        <IconButton
          icon={ellipsesIcon}
          name={trans.__('More for %1', name)}
          tabIndex={-1}
          onClick={event => menu(name, event.currentTarget)}
        />
      )
    };
  });
  return (
    <Grid
      name={trans.__('Buckets')}
      heads={[
        { text: trans.__('Name') },
        { text: trans.__('Belongs to'), kind: 'wide' },
        { text: trans.__('Keeps'), kind: 'wide' },
        { text: trans.__('Made'), kind: 'wide' }
      ]}
      rows={rows}
      more={false}
      onOpen={open}
      onMenu={menu}
      onKey={(name, { key }) => {
        if (key !== 'Delete' || !buckets.some(bucket => bucket.own && bucket.name === name)) {
          return false;
        }
        ask(close => <DeleteBucket name={name} close={close} />);
        return true;
      }}
    />
  );
}
