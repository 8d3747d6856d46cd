import { codeIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { backupState } from '../backup/words';
import type { IBackupStatus, IStorageStatus } from '../documents';
import { absolute, clock, remaining } from '../formats';
import { bucketIcon, StateIcon } from '../icons';
import { used } from '../quota';
import { isDown, isWithout, ISummary, summary } from '../summary';
import { CommandIDs } from '../tokens';
import type { ILanguage } from '../words';
import { told } from '../words';
import { BackupRow } from './backup/row';
import { IconButton, LinkButton, Note } from './basics';
import { useNaas } from './context';
import { FolderGrid } from './folders';
import { KeysRow } from './keys';
import { Section } from './section';
import { Empty, Failure, Loading, Stale, WORDS } from './states';
import { UnsavedNotes, Uploads } from './uploads';

/** How long the present credentials last; the agent renews them long before. */
function Credentials({ expiresAt, now }: { expiresAt: Date; now: Date }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const left = (expiresAt.getTime() - now.getTime()) / 1000;
  return (
    <li className="jp-Naas-row" title={absolute(expiresAt, tag)} data-testid="naas-access">
      <StateIcon look={left > 0 ? 'key' : 'bad'} />
      <div className="jp-Naas-title">
        {left > 0 ? trans.__('Access renews itself') : trans.__('Access was not renewed')}
      </div>
      <div className="jp-Naas-side">
        {left > 0
          ? trans.__('in %1', remaining(left, language))
          : trans.__('ended %1', clock(expiresAt, tag))}
      </div>
    </li>
  );
}

/** This server's own credentials, the keys for other programs where people may have some, and the backup. */
function AccessAndBackup({ status, now }: { status: IStorageStatus; now: Date }): JSX.Element {
  const { language, model } = useNaas();
  const { credentials_expire_at: expires, endpoint } = status;
  const keys = model.me.data?.capabilities?.['s3-keys']?.allowed ?? false;
  return (
    <>
      <h3 className="jp-Naas-heading">{language.trans.__('Access and backup')}</h3>
      <ul className="jp-Naas-list">
        {expires !== null ? <Credentials expiresAt={new Date(expires)} now={now} /> : null}
        {expires !== null && endpoint ? <Site endpoint={endpoint} /> : null}
        {keys ? <KeysRow /> : null}
        <BackupRow now={now} />
      </ul>
    </>
  );
}

/** The site in use, said only when it is not the first one. */
function Site({ endpoint }: { endpoint: string }): JSX.Element {
  const { trans } = useNaas().language;
  return (
    <li className="jp-Naas-row" data-testid="naas-site" title={endpoint}>
      <StateIcon look="warn" />
      <div className="jp-Naas-cell">
        <div className="jp-Naas-title">{trans.__('Another site is in use')}</div>
        <div className="jp-Naas-detail">{endpoint.replace(/^https?:\/\//, '')}</div>
      </div>
    </li>
  );
}

function DownNote({ status }: { status: IStorageStatus }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  return (
    <Note kind="bad" actions={<LinkButton label={trans.__('Try again')} onClick={() => model.refresh()} />}>
      <b>{trans.__('cloud-storage is not connected.')}</b> {told(status.reason, trans)}{' '}
      {trans.__('Your notebook runs; nothing can be written there until it is back.')}
    </Note>
  );
}

function EndingNote({ status }: { status: IStorageStatus }): JSX.Element {
  const { trans } = useNaas().language;
  return (
    <Note kind="busy">
      {status.state === 'draining'
        ? trans.__('This server is stopping. Your uploads finish first.')
        : trans.__('This server has stopped using cloud-storage.')}
    </Note>
  );
}

function Content({ status, now }: { status: IStorageStatus; now: Date }): JSX.Element {
  const { trans } = useNaas().language;
  if (status.folders.length === 0 && isWithout(status)) {
    return (
      <>
        <Empty title={trans.__('No cloud folders here')}>{told(status.reason, trans)}</Empty>
        {status.code === 'no-fuse' ? <AccessAndBackup status={status} now={now} /> : null}
      </>
    );
  }
  return (
    <>
      {isDown(status) ? <DownNote status={status} /> : null}
      {status.state === 'draining' || status.state === 'stopped' ? <EndingNote status={status} /> : null}
      <UnsavedNotes status={status} />
      <Folders status={status} now={now} />
      <Uploads status={status} />
      <AccessAndBackup status={status} now={now} />
    </>
  );
}

function Folders({ status, now }: { status: IStorageStatus; now: Date }): JSX.Element | null {
  const { trans } = useNaas().language;
  if (status.folders.length > 0) {
    return (
      <>
        <h3 className="jp-Naas-heading">{trans.__('Folders')}</h3>
        <FolderGrid status={status} now={now} />
      </>
    );
  }
  if (status.state === 'starting') {
    return <Loading seconds={WORDS} what={() => trans.__('Your folders are being connected.')} />;
  }
  return isDown(status) ? null : (
    <Empty title={trans.__('No folders yet')}>
      {trans.__('They appear when the server starts with storage.')}
    </Empty>
  );
}

/** Closed and well, the section says how much is used; a backup that failed comes first. */
function headline(
  status: IStorageStatus,
  backup: IBackupStatus | null,
  language: ILanguage
): ISummary | null {
  const state = summary(status, language);
  const saved = backup && backupState(backup, language.trans);
  if (saved?.look === 'bad' && state !== null && state.look !== 'bad') {
    return { look: 'bad', text: saved.word };
  }
  return state?.look === 'ok' && status.usage !== null
    ? { look: 'ok', text: used(status.usage, language) }
    : state;
}

/** The first section: notes, folders, uploads, access. */
export function Storage(props: { open: boolean; onToggle: () => void; now: Date }): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans, tag } = language;
  const view = model.storage.view(model.storageInterval);
  const data = view.kind === 'data' ? view : null;
  return (
    <Section
      id="jp-naas-storage"
      title={trans.__('Storage')}
      open={props.open}
      onToggle={props.onToggle}
      summary={data ? headline(data.data, model.backup.status.data, language) : null}
      tooltip={data ? trans.__('As of %1', absolute(data.receivedAt, tag)) : undefined}
      tools={
        <>
          {data && data.data.code !== 'no-storage' ? (
            <IconButton
              icon={bucketIcon}
              name={trans.__('Browse buckets')}
              onClick={() => void commands.execute(CommandIDs.browseBuckets)}
            />
          ) : null}
          {commands.isEnabled(CommandIDs.insertCode) ? (
            <IconButton
              icon={codeIcon}
              name={trans.__('Insert code for storage')}
              onClick={() => void commands.execute(CommandIDs.insertCode)}
            />
          ) : null}
        </>
      }
    >
      {view.kind === 'loading' ? (
        <Loading
          seconds={view.seconds}
          what={waited => trans.__('Still asking your server about its folders, %1', waited)}
        />
      ) : null}
      {view.kind === 'error' ? (
        <Failure
          title={trans.__('The folders could not be read.')}
          failure={view.failure}
          retry={() => model.refresh()}
        >
          {trans.__('Your files are not affected.')}
        </Failure>
      ) : null}
      {data?.stale ? (
        <Stale receivedAt={data.receivedAt} now={props.now} retry={() => model.refresh()} />
      ) : null}
      {data ? <Content status={data.data} now={props.now} /> : null}
    </Section>
  );
}
