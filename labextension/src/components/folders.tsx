import { ellipsesIcon, folderIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { IFolder } from '../documents';
import { StateIcon } from '../icons';
import { nextRow } from '../keyboard';
import { folderState, rights } from '../states';
import { CommandIDs } from '../tokens';
import { told } from '../words';
import { Age, IconButton, Name } from './basics';
import { useNaas } from './context';

/** A folder's path as people write it in a notebook. */
export function shownPath(folder: IFolder): string {
  return folder.browser_path ?? folder.path;
}

/** The second line: rights, then what is to be known of its state. */
function Detail({ folder, now }: { folder: IFolder; now: Date }): JSX.Element {
  const { trans } = useNaas().language;
  const { look, word } = folderState(folder.state, trans);
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
    </>
  );
}

function Row(props: {
  folder: IFolder;
  now: Date;
  active: boolean;
  onFocus: () => void;
  index: number;
}): JSX.Element {
  const { language, commands, openFolderMenu } = useNaas();
  const { trans } = language;
  const { folder } = props;
  const path = shownPath(folder);
  const { look, word } = folderState(folder.state, trans);
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
        openFolderMenu(folder, event.currentTarget);
      }}
    >
      <StateIcon look={look} />
      <div role="gridcell" className="jp-Naas-cell">
        <div className="jp-Naas-title">
          <Name text={path} />
        </div>
        <Detail folder={folder} now={props.now} />
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
          onClick={event => openFolderMenu(folder, event.currentTarget)}
          tabIndex={-1}
        />
      </div>
    </div>
  );
}

/** The folders: one stop for Tab, arrows and letters inside. */
export function FolderGrid({ folders, now }: { folders: IFolder[]; now: Date }): JSX.Element {
  const { language, openFolderMenu } = useNaas();
  const [active, setActive] = React.useState(0);
  const grid = React.useRef<HTMLDivElement>(null);
  const current = Math.min(active, folders.length - 1);

  const onKeyDown = (event: React.KeyboardEvent) => {
    const row = grid.current?.children[current] as HTMLElement;
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      event.preventDefault();
      openFolderMenu(folders[current], row);
      return;
    }
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== row) {
      return;
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      row.click();
      return;
    }
    const next = nextRow(
      event.key,
      current,
      folders.map(folder => folder.name)
    );
    if (next !== null) {
      event.preventDefault();
      (grid.current?.children[next] as HTMLElement).focus();
    }
  };

  return (
    <div
      ref={grid}
      role="grid"
      aria-label={language.trans.__('Folders')}
      aria-rowcount={folders.length}
      onKeyDown={onKeyDown}
    >
      {folders.map((folder, index) => (
        <Row
          key={folder.name}
          folder={folder}
          now={now}
          index={index}
          active={index === current}
          onFocus={() => setActive(index)}
        />
      ))}
    </div>
  );
}
