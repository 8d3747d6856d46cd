import { ellipsesIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { amount, result } from '../../backup/words';
import type { IBackupRun } from '../../documents';
import { absolute, count, moment, size } from '../../formats';
import { StateIcon } from '../../icons';
import { openMenu } from '../../menu';
import { IconButton } from '../basics';
import { Grid, IRow } from '../buckets/grid';
import { useNaas } from '../context';
import { ask } from './question';
import { Restore } from './restoreDialog';

/** The backups there are, newest first. */
export function RunList({ runs, now }: { runs: IBackupRun[]; now: Date }): JSX.Element {
  const context = useNaas();
  const { language, model } = context;
  const { trans, tag } = language;
  const open = (run: string) => model.backup.open({ run, prefix: '' });
  const restore = (id: string) =>
    ask(context, close => (
      <Restore run={runs.find(run => run.id === id)!} keys={[]} done={() => undefined} close={close} />
    ));
  const menu = (id: string, anchor: HTMLElement) =>
    openMenu(anchor, [
      { label: trans.__('Open'), execute: () => open(id) },
      { label: trans.__('Restore Everything…'), enabled: !model.backup.running, execute: () => restore(id) }
    ]);
  const rows = runs.map((run): IRow => {
    const at = new Date(run.started_at);
    const when = moment(at, now, tag);
    const { look, word } = result(run, language);
    const sent =
      run.sent_files === 0
        ? trans.__('nothing')
        : `${count(run.sent_files, tag)} · ${size(run.sent_bytes, tag)}`;
    return {
      key: run.id,
      name: when,
      label: [when, amount(run.files, run.bytes, language), trans.__('new or changed: %1', sent), word].join(
        ', '
      ),
      icon: <StateIcon look={look} />,
      cells: [
        <button
          type="button"
          className="jp-Naas-open"
          tabIndex={-1}
          title={absolute(at, tag)}
          onClick={() => open(run.id)}
        >
          <time dateTime={run.started_at}>{when}</time>
        </button>,
        count(run.files, tag),
        size(run.bytes, tag),
        sent,
        look === 'ok' ? word : <span className={`jp-mod-${look}`}>{word}</span>
      ],
      actions: (
        <IconButton
          icon={ellipsesIcon}
          name={trans.__('More for the backup of %1', when)}
          tabIndex={-1}
          onClick={event => menu(run.id, event.currentTarget)}
        />
      )
    };
  });
  return (
    <Grid
      name={trans.__('Backups')}
      sort="descending"
      heads={[
        { text: trans.__('Backup of') },
        { text: trans.__('Files'), kind: 'count' },
        { text: trans.__('Size'), kind: 'number' },
        { text: trans.__('New or changed'), kind: 'wide' },
        { text: trans.__('Result'), kind: 'wide' }
      ]}
      rows={rows}
      more={false}
      onOpen={open}
      onMenu={menu}
    />
  );
}
