import { ellipsesIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { amount, backupState, progress, share } from '../../backup/words';
import type { IBackupProgress, IBackupStatus } from '../../documents';
import { StateIcon } from '../../icons';
import { commandEntry, openMenu } from '../../menu';
import { CommandIDs } from '../../tokens';
import { toldAll } from '../../words';
import { Age, IconButton, LinkButton, Meter } from '../basics';
import { useNaas } from '../context';

/** Behind a dot, or in a line of its own where there is no room beside. */
function More({ text }: { text: string }): JSX.Element | null {
  return text === '' ? null : (
    <>
      <span className="jp-Naas-wide"> · </span>
      <span className="jp-Naas-amount">{text}</span>
    </>
  );
}

/** Figures and a bar; said aloud at each quarter. */
export function Progress({ now }: { now: IBackupProgress }): JSX.Element {
  const { language } = useNaas();
  const { trans } = language;
  const [first, ...rest] = progress(now, language);
  const percent = share(now);
  const name = now.what === 'backup' ? trans.__('Backing up') : trans.__('Restoring');
  return (
    <>
      <div className="jp-Naas-detail">
        {first}
        <More text={rest.join(' · ')} />
      </div>
      <Meter percent={percent} name={name} text={[first, ...rest].join(', ')} look="busy" />
      <span className="jp-Naas-sr" role="status">
        {trans.__('%1 %% done', Math.floor(percent / 25) * 25)}
      </span>
    </>
  );
}

/** When, and how much. */
function Last({ status, now }: { status: IBackupStatus; now: Date }): JSX.Element | null {
  const { language } = useNaas();
  const { last, problem } = status;
  if (last === null) {
    return null;
  }
  const text = (age: string) => (problem === '' ? age : language.trans.__('last one %1', age));
  return (
    <div className="jp-Naas-detail">
      <Age at={new Date(last.ended_at)} now={now} text={text} />
      <More text={amount(last.files, last.bytes, language)} />
    </div>
  );
}

function Action({ status }: { status: IBackupStatus }): JSX.Element | null {
  const { language, commands } = useNaas();
  const { trans } = language;
  const backUp = () => commands.execute(CommandIDs.backUp);
  switch (backupState(status, trans).look) {
    case 'busy':
      return null;
    case 'bad':
      return <LinkButton label={trans.__('Try again')} name={trans.__('Back up again')} onClick={backUp} />;
    case 'warn':
      return (
        <LinkButton
          label={trans.__('Show')}
          name={trans.__('Show what is not in the backup')}
          onClick={() =>
            void commands.execute(CommandIDs.restoreBackup, { run: status.last?.id ?? '', prefix: '' })
          }
        />
      );
    default:
      return <LinkButton label={trans.__('Back up now')} onClick={backUp} />;
  }
}

/** One row of the Storage section: what was saved when, how far it is, or why it failed. */
export function BackupRow({ now }: { now: Date }): JSX.Element | null {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const { backup } = model;
  const view = backup.status.view(backup.interval);
  if (view.kind === 'loading') {
    return null;
  }
  if (view.kind === 'error') {
    return (
      <li className="jp-Naas-row" data-testid="naas-backup" data-look="unknown">
        <StateIcon look="unknown" />
        <div className="jp-Naas-cell">
          <div className="jp-Naas-title">{trans.__('Backup: not known now')}</div>
          <div className="jp-Naas-cause">{toldAll(view.failure.message, trans)}</div>
        </div>
        <LinkButton
          label={trans.__('Try again')}
          name={trans.__('Ask about the backup again')}
          onClick={() => backup.refresh()}
        />
      </li>
    );
  }
  const status = view.data;
  const { look, word } = backupState(status, trans);
  const more = (anchor: HTMLElement) =>
    openMenu(anchor, [
      commandEntry(commands, CommandIDs.backUp),
      commandEntry(commands, CommandIDs.restoreBackup),
      null,
      commandEntry(commands, CommandIDs.backupSettings)
    ]);
  return (
    <li
      className="jp-Naas-row"
      data-testid="naas-backup"
      data-look={look}
      onContextMenu={event => {
        event.preventDefault();
        more(event.currentTarget);
      }}
    >
      <StateIcon look={look} />
      <div className="jp-Naas-title">
        {look === 'bad' || look === 'warn' ? <span className={`jp-mod-${look}`}>{word}</span> : word}
      </div>
      <div className="jp-Naas-rowTools">
        <Action status={status} />
        <IconButton
          icon={ellipsesIcon}
          name={trans.__('More for the backup')}
          onClick={event => more(event.currentTarget)}
        />
      </div>
      <div className="jp-Naas-rowBody">
        {status.running !== null ? (
          <Progress now={status.running} />
        ) : (
          <>
            <Last status={status} now={now} />
            {look === 'bad' ? <div className="jp-Naas-cause">{toldAll(status.problem, trans)}</div> : null}
          </>
        )}
      </div>
    </li>
  );
}
