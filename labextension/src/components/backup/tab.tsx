import { refreshIcon, saveIcon, settingsIcon, undoIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { BACKUPS } from '../../backup/model';
import { amount, backupState, restored, restoredPath } from '../../backup/words';
import { shown, steps } from '../../buckets/keys';
import type { IBackupStatus } from '../../documents';
import { absolute, count, moment, remaining, size } from '../../formats';
import { CommandIDs } from '../../tokens';
import { toldAll } from '../../words';
import { IconButton, LinkButton, Note, Tool } from '../basics';
import { useChanges, useNaas, useNow } from '../context';
import { onSearchKey } from '../search';
import { Empty, States } from '../states';
import { FileList } from './fileList';
import { ask } from './question';
import { Restore } from './restoreDialog';
import { Progress } from './row';
import { RunList } from './runList';

/** Milliseconds for which the result of a restore is news. */
const NEWS = 3_600_000;

/** The way to where one is; each step but the last one goes there. */
function Way({ now }: { now: Date }): JSX.Element {
  const { language, model } = useNaas();
  const { trans, tag } = language;
  const { backup } = model;
  const { place, run } = backup;
  const way = [
    { name: trans.__('Backups'), place: BACKUPS },
    ...(place.run === ''
      ? []
      : [
          {
            name: run ? moment(new Date(run.started_at), now, tag) : place.run,
            place: { run: place.run, prefix: '' }
          }
        ]),
    ...steps(place.prefix).map(({ name, prefix }) => ({
      name: shown(name, trans),
      place: { run: place.run, prefix }
    }))
  ];
  return (
    <nav aria-label={trans.__('Place')} className="jp-Naas-way">
      <ol>
        {way.map(({ name, place: step }, n) => (
          <li key={n}>
            {n === way.length - 1 ? (
              <h1 aria-current="page" title={name}>
                <bdi>{name}</bdi>
              </h1>
            ) : (
              <button type="button" title={name} onClick={() => backup.open(step)}>
                <bdi>{name}</bdi>
              </button>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** What is known of the backup that is open, or of the schedule. */
function Facts({ now }: { now: Date }): JSX.Element {
  const { language, model } = useNaas();
  const { trans, tag } = language;
  const { run, place, status } = model.backup;
  const facts: string[] = [];
  if (run !== null) {
    facts.push(
      amount(run.files, run.bytes, language),
      run.sent_files === 0
        ? trans.__('nothing was new or changed')
        : trans._n(
            '1 file new or changed, %3',
            '%2 files new or changed, %3',
            run.sent_files,
            count(run.sent_files, tag),
            size(run.sent_bytes, tag)
          )
    );
  } else if (place.run === '' && status.data !== null) {
    const { settings, next_at } = status.data;
    const wait = next_at === null ? null : (new Date(next_at).getTime() - now.getTime()) / 1000;
    facts.push(
      wait === null
        ? trans.__('No schedule')
        : wait < 60
          ? trans.__('Next one within two minutes')
          : trans.__('Next one in %1', remaining(wait, language)),
      trans._n(
        'earlier files kept for 1 day',
        'earlier files kept for %2 days',
        settings.keep_days,
        count(settings.keep_days, tag)
      )
    );
  }
  return (
    <p
      className="jp-Naas-facts"
      data-testid="naas-backup-facts"
      title={run ? absolute(new Date(run.started_at), tag) : undefined}
    >
      {facts.join(' · ')}
    </p>
  );
}

/** What is at work, what failed, and how the newest restore ended. */
function Notes({ status, now }: { status: IBackupStatus; now: Date }): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const { running, problem, restored: done } = status;
  const path = restoredPath(status);
  const showFolder = path ? (
    <LinkButton
      label={trans.__('Open folder')}
      name={trans.__('Open %1 in the file browser', path)}
      onClick={() => void commands.execute(CommandIDs.openHomeFolder, { path })}
    />
  ) : null;
  if (running !== null) {
    return (
      <div className="jp-Naas-note jp-mod-busy" data-testid="naas-backup-work">
        <b>{backupState(status, trans).word}</b>
        <Progress now={running} />
      </div>
    );
  }
  return (
    <>
      {problem === '' ? null : (
        <Note
          kind="bad"
          actions={
            <LinkButton label={trans.__('Try again')} onClick={() => commands.execute(CommandIDs.backUp)} />
          }
        >
          <b>{trans.__('The newest backup failed.')}</b> {toldAll(problem, trans)}{' '}
          {trans.__('Earlier backups are not affected.')}
        </Note>
      )}
      {done !== null && model.backup.hidden !== done.at && now.getTime() - Date.parse(done.at) < NEWS ? (
        <Note
          kind={done.problem === '' ? 'busy' : 'bad'}
          actions={
            <>
              {showFolder}
              <LinkButton
                label={trans.__('Hide')}
                name={trans.__('Hide the result of the restore')}
                onClick={() => model.backup.hide(done.at)}
              />
            </>
          }
        >
          {done.problem === '' ? (
            restored(status, language)
          ) : (
            <>
              <b>{trans.__('Not everything was restored.')}</b> {toldAll(done.problem, trans)}{' '}
              {trans.__('Start the restore again.')}
            </>
          )}
        </Note>
      ) : null}
    </>
  );
}

function Content({ now }: { now: Date }): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const { backup } = model;
  return (
    <States
      view={backup.runs.view(Infinity)}
      failed={trans.__('Your backups could not be listed.')}
      now={now}
      retry={() => backup.look()}
    >
      {runs => {
        if (backup.run !== null) {
          return <FileList key={backup.run.id} run={backup.run} now={now} />;
        }
        if (backup.place.run !== '') {
          return (
            <Empty
              title={trans.__('This backup is gone')}
              action={
                <LinkButton label={trans.__('Show all backups')} onClick={() => backup.open(BACKUPS)} />
              }
            >
              {trans.__('It was older than what is kept.')}
            </Empty>
          );
        }
        return runs.length > 0 ? (
          <RunList runs={runs} now={now} />
        ) : (
          <Empty
            title={trans.__('No backups yet')}
            action={
              backup.running ? null : (
                <Tool
                  primary
                  icon={saveIcon}
                  label={trans.__('Back up now')}
                  onClick={() => void commands.execute(CommandIDs.backUp)}
                />
              )
            }
          >
            {trans.__('A backup copies your home folder into your bucket, where it outlives this server.')}
          </Empty>
        );
      }}
    </States>
  );
}

/** The whole tab: the backups, or the files of one. */
export function BackupsTab(): JSX.Element {
  const context = useNaas();
  const { language, model, commands } = context;
  const { trans } = language;
  const { backup } = model;
  useChanges(backup);
  const now = useNow(backup.tabVisible);
  const frame = React.useRef<HTMLDivElement>(null);
  const { run, running, place } = backup;
  const focused = React.useRef(place);
  // What had the focus may be gone with the place before: keys go on in the list that comes.
  React.useEffect(() => {
    const tab = frame.current!;
    if (focused.current !== place && document.activeElement === document.body) {
      tab.focus();
    }
    if (document.activeElement === tab) {
      tab.querySelector<HTMLElement>('[role=row][tabindex="0"]')?.focus({ preventScroll: true });
    }
    focused.current = place;
  });
  const status = backup.status.data;
  return (
    <div ref={frame} className="jp-Naas jp-Naas-tab" tabIndex={-1} onKeyDown={onSearchKey}>
      <header className="jp-Naas-tabHeader">
        <div className="jp-Naas-tabTitle">
          <Way now={now} />
          <div className="jp-Naas-tabTools">
            {run !== null ? (
              <Tool
                icon={undoIcon}
                label={trans.__('Restore everything…')}
                disabled={running}
                onClick={() =>
                  ask(context, close => <Restore run={run} keys={[]} done={() => undefined} close={close} />)
                }
              />
            ) : (
              <>
                <Tool
                  icon={settingsIcon}
                  label={trans.__('Settings…')}
                  disabled={status === null}
                  onClick={() => void commands.execute(CommandIDs.backupSettings)}
                />
                <Tool
                  primary={backup.runs.data?.length !== 0} // an empty list has it in its middle
                  icon={saveIcon}
                  label={trans.__('Back up now')}
                  disabled={running}
                  onClick={() => void commands.execute(CommandIDs.backUp)}
                />
              </>
            )}
          </div>
        </div>
        <div className="jp-Naas-tabLine">
          <Facts now={now} />
          <IconButton
            icon={refreshIcon}
            name={trans.__('Refresh')}
            onClick={() => void Promise.all([backup.refresh(), backup.look()])}
          />
        </div>
      </header>
      <div className="jp-Naas-tabBody">
        {status !== null ? <Notes status={status} now={now} /> : null}
        <Content now={now} />
      </div>
    </div>
  );
}
