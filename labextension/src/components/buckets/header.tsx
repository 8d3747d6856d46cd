import { addIcon, ellipsesIcon, fileUploadIcon, newFolderIcon, refreshIcon } from '@jupyterlab/ui-components';
import { Notification } from '@jupyterlab/apputils';
import React from 'react';

import { COUNTED } from '../../buckets/browser';
import type { IBucket } from '../../documents';
import { count } from '../../formats';
import { IEntry, openMenu } from '../../menu';
import { percent, used } from '../../quota';
import { CommandIDs } from '../../tokens';
import type { ILanguage } from '../../words';
import { Age, IconButton, Meter, Tool } from '../basics';
import { useNaas } from '../context';
import { Breadcrumb } from './breadcrumb';
import { useBuckets } from './context';
import { DeleteBucket } from './deleteDialogs';
import { NewBucket, NewFolder } from './nameDialogs';
import { Undelete, Versions } from './versionsDialog';

/** Ask for a new bucket; its name starts with the person's own. */
function useNewBucket(): () => Promise<void> {
  const { language, model } = useNaas();
  const { ask } = useBuckets();
  return async () => {
    const me = await model.identify();
    if (me === null) {
      Notification.error(
        language.trans.__(
          'The platform does not say who you are, so a bucket cannot be named. Try again in a moment.'
        )
      );
    } else {
      ask(close => <NewBucket user={me.name} close={close} />);
    }
  };
}

export function NewBucketButton({ primary }: { primary?: boolean }): JSX.Element {
  const { trans } = useNaas().language;
  const make = useNewBucket();
  return (
    <Tool icon={addIcon} label={trans.__('New bucket…')} primary={primary} onClick={() => void make()} />
  );
}

/** Choose files of one's own computer. */
export function UploadButton(): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const input = React.useRef<HTMLInputElement>(null);
  return (
    <>
      <Tool
        primary
        icon={fileUploadIcon}
        label={trans.__('Upload…')}
        onClick={() => input.current?.click()}
      />
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={event => {
          const files = Array.from(event.target.files ?? []);
          browser.upload(files.map(file => ({ path: file.name, file })));
          event.target.value = ''; // so that the same file can be chosen again
        }}
      />
    </>
  );
}

function facts(bucket: IBucket, { trans, tag }: ILanguage): string[] {
  const objects = bucket.usage?.objects ?? null;
  const number = objects === null ? '' : count(objects, tag) + (objects >= COUNTED ? '+' : '');
  return [
    bucket.own ? trans.__('Your bucket') : trans.__('Shared bucket'),
    ...(objects === null ? [] : [trans._n('1 object', '%2 objects', objects, number)]),
    ...(bucket.versioning ? [trans.__('earlier versions are kept')] : []),
    ...(bucket.object_lock ? [trans.__('locks allowed')] : [])
  ];
}

/** What is known of the bucket: whose, how many objects, how full. */
function Facts({ bucket }: { bucket: IBucket }): JSX.Element {
  const { language } = useNaas();
  const { usage } = bucket;
  const share = usage === null ? null : percent(usage);
  return (
    <p className="jp-Naas-facts" data-testid="naas-facts">
      {facts(bucket, language).join(' · ')}
      {usage !== null ? (
        <>
          {' · '}
          {used(usage, language)}
        </>
      ) : null}
      {share !== null ? (
        <Meter
          percent={share}
          name={language.trans.__('Used of %1', bucket.name)}
          text={used(usage!, language)}
          look={share >= 80 ? 'warn' : undefined}
        />
      ) : null}
    </p>
  );
}

export function Header({ receivedAt, now }: { receivedAt: Date | null; now: Date }): JSX.Element {
  const { language, commands } = useNaas();
  const { trans } = language;
  const { browser, ask } = useBuckets();
  const { place, bucket } = browser;

  const more = (): (IEntry | null)[] => [
    {
      label: trans.__('Copy Path'),
      execute: () => void commands.execute(CommandIDs.copyPath, { text: `${place.bucket}/${place.prefix}` })
    },
    {
      label: trans.__('Restore a Deleted File…'),
      enabled: browser.keepsVersions(),
      execute: () =>
        ask(close => (
          <Undelete
            close={close}
            found={key => setTimeout(() => ask(end => <Versions objectKey={key} close={end} />))}
          />
        ))
    },
    null,
    {
      label: trans.__('Delete Bucket…'),
      enabled: bucket?.own ?? false,
      execute: () => ask(close => <DeleteBucket name={place.bucket} close={close} />)
    }
  ];

  return (
    <header className="jp-Naas-tabHeader">
      <div className="jp-Naas-tabTitle">
        <Breadcrumb />
        <div className="jp-Naas-tabTools">
          {place.bucket === '' ? (
            <NewBucketButton />
          ) : (
            <>
              <Tool
                icon={newFolderIcon}
                label={trans.__('New folder…')}
                onClick={() => ask(close => <NewFolder close={close} />)}
              />
              <UploadButton />
              <IconButton
                icon={ellipsesIcon}
                name={trans.__('More for %1', place.bucket)}
                onClick={event => openMenu(event.currentTarget, more())}
              />
            </>
          )}
        </div>
      </div>
      <div className="jp-Naas-tabLine">
        {bucket !== null && place.bucket !== '' ? (
          <Facts bucket={bucket} />
        ) : (
          <span className="jp-Naas-fill" />
        )}
        <span className="jp-Naas-side jp-Naas-asOf">
          {receivedAt ? <Age at={receivedAt} now={now} text={age => trans.__('as of %1', age)} /> : null}
        </span>
        <IconButton icon={refreshIcon} name={trans.__('Refresh')} onClick={() => void browser.refresh()} />
      </div>
    </header>
  );
}
