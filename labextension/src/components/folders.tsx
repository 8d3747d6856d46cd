import { ellipsesIcon, folderIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { placeOf } from '../buckets/keys';
import type { IFolder, IStorageStatus, IUsage } from '../documents';
import { age, count } from '../formats';
import { StateIcon } from '../icons';
import { commandEntry, openMenu } from '../menu';
import { Level, level, levelState, ownFolder, percent, used } from '../quota';
import { folderState, IShown, rights } from '../states';
import { CommandIDs } from '../tokens';
import { IWords, told } from '../words';
import { Age, IconButton, Meter, Name } from './basics';
import { useNaas } from './context';
import { IRowPlace, RowGrid } from './rowGrid';

/** A folder's path as people write it in a notebook. */
export function shownPath(folder: IFolder): string {
  return folder.browser_path ?? folder.path;
}

/** How a folder is shown; one's own bucket that is nearly full says so when nothing worse is to say. */
function stateOf(folder: IFolder, usage: IUsage | null, trans: IWords): IShown {
  const reached = level(usage);
  return folder.state === 'ok' && reached > 0
    ? levelState(reached as Exclude<Level, 0>, trans)
    : folderState(folder.state, trans);
}

/** The quota of one's own bucket, grey until 80 %. */
function Quota({ usage, now }: { usage: IUsage; now: Date }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const text = used(usage, language);
  const share = percent(usage);
  const parts = [
    text,
    usage.objects === null
      ? ''
      : trans._n('1 object', '%2 objects', usage.objects, count(usage.objects, tag)),
    trans.__('counted %1', age(new Date(usage.at), now, language))
  ];
  return (
    <div
      className="jp-Naas-quota"
      title={parts.filter(part => part !== '').join(' · ')}
      data-testid="naas-quota"
    >
      {share === null ? null : (
        <Meter
          percent={share}
          name={trans.__('Used of your bucket')}
          text={text}
          look={share >= 80 ? 'warn' : undefined}
        />
      )}
      <span className="jp-Naas-quotaText">{text}</span>
    </div>
  );
}

/** The second line: rights, then what is to be known of its state. */
function Detail({ folder, usage, now }: { folder: IFolder; usage: IUsage | null; now: Date }): JSX.Element {
  const { trans } = useNaas().language;
  const { look, word } = stateOf(folder, usage, trans);
  const since =
    look === 'ok' && folder.checked_at !== null ? (
      <Age at={new Date(folder.checked_at)} now={now} text={age => trans.__('checked %1', age)} />
    ) : null;
  return (
    <>
      <div className="jp-Naas-detail">
        {look === 'ok' ? rights(folder, trans) : <span className={`jp-mod-${look}`}>{word}</span>}
        {since ? <span className="jp-Naas-wide"> · {since}</span> : null}
        {folder.state === 'reconnecting' ? (
          <span className="jp-Naas-wide"> · {trans.__('nothing is lost')}</span>
        ) : null}
      </div>
      {look === 'bad' && folder.reason ? (
        <div className="jp-Naas-cause">{told(folder.reason, trans)}</div>
      ) : null}
      {usage !== null ? <Quota usage={usage} now={now} /> : null}
    </>
  );
}

function openFolderMenu(folder: IFolder, anchor: HTMLElement, commands: CommandRegistry): void {
  const { name } = folder;
  const entry = (id: string) => commandEntry(commands, id, { name });
  openMenu(anchor, [
    entry(CommandIDs.openFolder),
    commandEntry(commands, CommandIDs.browseBuckets, { ...placeOf(folder) }),
    null,
    entry(CommandIDs.copyPath),
    entry(CommandIDs.insertCode),
    null,
    entry(CommandIDs.usage),
    entry(CommandIDs.reconnect)
  ]);
}

function Row(props: IRowPlace & { folder: IFolder; usage: IUsage | null; now: Date }): JSX.Element {
  const { language, commands } = useNaas();
  const { trans } = language;
  const { folder, usage } = props;
  const path = shownPath(folder);
  const { look, word } = stateOf(folder, usage, trans);
  const open = () => void commands.execute(CommandIDs.openFolder, { name: folder.name });
  const reachable = commands.isEnabled(CommandIDs.openFolder, { name: folder.name });
  return (
    <div
      role="row"
      className="jp-Naas-row jp-mod-interactive"
      aria-label={[path, word, rights(folder, trans)].join(', ')}
      aria-rowindex={props.index + 1}
      tabIndex={props.active ? 0 : -1}
      data-folder={folder.name}
      data-state={folder.state}
      onFocus={props.onFocus}
      onClick={reachable ? open : undefined}
      onContextMenu={event => {
        event.preventDefault();
        openFolderMenu(folder, event.currentTarget, commands);
      }}
    >
      <StateIcon look={look} />
      <div role="gridcell" className="jp-Naas-cell">
        <div className="jp-Naas-title">
          <Name text={path} />
        </div>
        <Detail folder={folder} usage={usage} now={props.now} />
      </div>
      <div role="gridcell" className="jp-Naas-actions" onClick={event => event.stopPropagation()}>
        {reachable ? (
          <IconButton
            icon={folderIcon}
            name={trans.__('Open %1 in the file browser', path)}
            onClick={open}
            tabIndex={-1}
          />
        ) : null}
        <IconButton
          icon={ellipsesIcon}
          name={trans.__('More for %1', path)}
          onClick={event => openFolderMenu(folder, event.currentTarget, commands)}
          tabIndex={-1}
        />
      </div>
    </div>
  );
}

/** The folders. */
export function FolderGrid({ status, now }: { status: IStorageStatus; now: Date }): JSX.Element {
  const { language, commands } = useNaas();
  const { folders, usage } = status;
  const own = ownFolder(status);
  return (
    <RowGrid
      name={language.trans.__('Folders')}
      items={folders}
      nameOf={({ name }) => name}
      menu={(folder, anchor) => openFolderMenu(folder, anchor, commands)}
      draw={(folder, place) => (
        <Row key={folder.name} folder={folder} usage={folder === own ? usage : null} now={now} {...place} />
      )}
    />
  );
}
