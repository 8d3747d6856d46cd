import { ellipsesIcon, fileIcon, folderIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { concerned } from '../../buckets/browser';
import { baseName, parentOf, shown } from '../../buckets/keys';
import type { IListed } from '../../buckets/listing';
import type { IBackupRun, IStoredObject } from '../../documents';
import { count, size } from '../../formats';
import { IEntry, openMenu } from '../../menu';
import { CommandIDs } from '../../tokens';
import { IconButton, LinkButton, Name } from '../basics';
import { Grid, IRow } from '../buckets/grid';
import { useNaas } from '../context';
import { Search } from '../search';
import { Empty, NothingFound, States } from '../states';
import { ask } from './question';
import { Restore } from './restoreDialog';

const NONE: IStoredObject[] = [];

/** What could not be saved, with the causes. */
function Problems({ run }: { run: IBackupRun }): JSX.Element | null {
  const { trans } = useNaas().language;
  if (run.errors.length === 0) {
    return null;
  }
  return (
    <details className="jp-Naas-note jp-mod-warn jp-Naas-problems">
      <summary>
        <b>{trans.__('Not everything was saved.')}</b>{' '}
        {trans.__('What is missing is tried again with the next backup.')}
      </summary>
      <ul>
        {run.errors.map((line, n) => (
          <li key={n}>{line}</li>
        ))}
      </ul>
    </details>
  );
}

/** Files and folders of a backup: to be looked for, marked and brought back. */
export function FileList({ run, now }: { run: IBackupRun; now: Date }): JSX.Element {
  const context = useNaas();
  const { language, model, commands } = context;
  const { trans, tag } = language;
  const { backup } = model;
  const { place, search } = backup;
  const listing = backup.listing!;
  const [marked, onMark] = React.useState<ReadonlySet<string>>(new Set());
  React.useEffect(() => onMark(new Set()), [place, search]);

  const goTo = (prefix: string) => backup.open({ run: run.id, prefix });
  const restore = (keys: readonly string[]) =>
    ask(context, close => <Restore run={run} keys={keys} done={() => onMark(new Set())} close={close} />);
  const restoreRow = (item: IStoredObject) =>
    restore(concerned(item, listing.listed?.items ?? [], marked).map(({ key }) => key));

  const entries = (item: IStoredObject): (IEntry | null)[] => [
    ...(item.folder ? [{ label: trans.__('Open'), execute: () => goTo(item.key) }] : []),
    { label: trans.__('Restore…'), enabled: !backup.running, execute: () => restoreRow(item) },
    {
      label: trans.__('Copy Path'),
      execute: () => void commands.execute(CommandIDs.copyPath, { text: item.key })
    },
    ...(search === ''
      ? []
      : [{ label: trans.__('Show in its folder'), execute: () => goTo(parentOf(item.key)) }])
  ];

  const items = listing.listed?.items ?? NONE;
  const byKey = React.useMemo(() => new Map(items.map(item => [item.key, item])), [items]);
  const rowOf = (item: IStoredObject): IRow => {
    const text = shown(search === '' ? baseName(item.key) : item.key.slice(place.prefix.length), trans);
    const bytes = size(item.size, tag);
    const Icon = item.folder ? folderIcon : fileIcon;
    return {
      key: item.key,
      name: text,
      label: [text, ...(item.folder ? [trans.__('folder')] : []), bytes].join(', '),
      icon: <Icon.react tag="span" aria-hidden="true" />,
      cells: [
        item.folder ? (
          <button type="button" className="jp-Naas-open" tabIndex={-1} onClick={() => goTo(item.key)}>
            <Name text={text} />
          </button>
        ) : (
          <Name text={text} />
        ),
        bytes
      ],
      actions: (
        <IconButton
          icon={ellipsesIcon}
          name={trans.__('More for %1', text)}
          tabIndex={-1}
          onClick={event => openMenu(event.currentTarget, entries(item))}
        />
      )
    };
  };
  // Thousands of rows: made again only when what they do changes.
  const rows = React.useMemo(() => items.map(rowOf), [items, search, place, marked, backup.running]);

  const list = (
    <Grid
      key={`${place.run}/${place.prefix}`}
      name={trans.__('Files in the backup')}
      heads={[{ text: trans.__('Name') }, { text: trans.__('Size'), kind: 'number' }]}
      rows={rows}
      more={listing.listed?.next !== null}
      marked={marked}
      onMark={(key, on) => {
        const now = new Set(marked);
        on ? now.add(key) : now.delete(key);
        onMark(now);
      }}
      onOpen={key => (byKey.get(key)!.folder ? goTo(key) : restoreRow(byKey.get(key)!))}
      onMenu={(key, anchor) => openMenu(anchor, entries(byKey.get(key)!))}
      onKey={(_, { key }) => {
        if (key !== 'Backspace') {
          return false;
        }
        place.prefix === '' ? backup.open({ run: '', prefix: '' }) : goTo(parentOf(place.prefix));
        return true;
      }}
      onEnd={() => {
        if (!listing.busy && listing.view(1).kind === 'data') {
          void listing.more();
        }
      }}
    />
  );

  return (
    <>
      <Problems run={run} />
      <div className="jp-Naas-listTools">
        <Search
          place={place}
          text={search}
          onSearch={text => backup.open({ run: run.id, prefix: place.prefix }, text)}
        />
        {marked.size > 0 ? (
          <span className="jp-Naas-marked" role="status">
            {trans._n('1 marked', '%2 marked', marked.size, count(marked.size, tag))}
            {backup.running ? null : (
              <LinkButton
                label={trans.__('Restore…')}
                name={trans.__('Restore what is marked')}
                onClick={() => restore(Array.from(marked))}
              />
            )}
            <LinkButton label={trans.__('Clear')} onClick={() => onMark(new Set())} />
          </span>
        ) : null}
      </div>
      <States
        view={listing.view(Infinity)}
        failed={trans.__('The files of this backup could not be listed.')}
        now={now}
        retry={() => backup.look()}
      >
        {listed => (
          <>
            {listed.items.length > 0 ? (
              list
            ) : search === '' ? (
              <Empty title={trans.__('Nothing is here')}>{trans.__('This backup holds no files.')}</Empty>
            ) : (
              <NothingFound search={search} scanned={listed.scanned} clear={() => backup.open(place)} />
            )}
            <Foot listed={listed} busy={listing.busy} />
          </>
        )}
      </States>
    </>
  );
}

/** How much is shown. */
function Foot({ listed, busy }: { listed: IListed; busy: boolean }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { items, next } = listed;
  const entries = trans._n('1 entry', '%2 entries', items.length, count(items.length, tag));
  return (
    <div className="jp-Naas-foot" role="status">
      {next === null ? entries : trans.__('%1 so far; scroll for more', entries)}
      {busy ? ` · ${trans.__('loading')}` : null}
    </div>
  );
}
