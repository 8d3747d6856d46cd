import { downloadIcon, ellipsesIcon, fileIcon, folderIcon, shareIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { concerned } from '../../buckets/browser';
import { save } from '../../buckets/download';
import { baseName, parentOf, shown } from '../../buckets/keys';
import type { IListed } from '../../buckets/listing';
import type { IStoredObject } from '../../documents';
import { age, size } from '../../formats';
import { commandEntry, IEntry, openMenu } from '../../menu';
import { BUCKETS_ID, CommandIDs } from '../../tokens';
import { IconButton, Name } from '../basics';
import { useNaas } from '../context';
import { useBuckets } from './context';
import { DeleteObjects } from './deleteDialogs';
import { Grid, IRow } from './grid';
import { Rename } from './nameDialogs';
import { Share } from './shareDialog';
import { Versions } from './versionsDialog';
import { When } from './when';

/** Files and folders of a place, in the store's order. */
export function ObjectList(props: {
  listed: IListed;
  marked: ReadonlySet<string>;
  onMark: (marked: ReadonlySet<string>) => void;
  now: Date;
}): JSX.Element {
  const { language, commands } = useNaas();
  const { trans, tag } = language;
  const { browser, ask } = useBuckets();
  const { listed, marked, onMark, now } = props;
  const { items } = listed;
  const { place, search, store, listing } = browser;
  const { bucket, prefix } = place;
  const byKey = React.useMemo(() => new Map(items.map(item => [item.key, item])), [items]);

  const goTo = (key: string) => browser.open({ bucket, prefix: key });
  const remove = (item: IStoredObject) =>
    ask(close => (
      <DeleteObjects items={concerned(item, items, marked)} done={() => onMark(new Set())} close={close} />
    ));
  const rename = (item: IStoredObject) => ask(close => <Rename item={item} close={close} />);
  const share = (item: IStoredObject) => ask(close => <Share item={item} close={close} />);
  const versions = (item: IStoredObject) => ask(close => <Versions objectKey={item.key} close={close} />);

  const entries = (item: IStoredObject): (IEntry | null)[] => {
    const code = commandEntry(commands, CommandIDs.insertObjectCode, { bucket, key: item.key });
    const path: IEntry = {
      label: trans.__('Copy Path'),
      execute: () => void commands.execute(CommandIDs.copyPath, { text: `${bucket}/${item.key}` })
    };
    const changes: IEntry[] = [
      { label: trans.__('Rename…'), execute: () => rename(item) },
      { label: trans.__('Delete…'), execute: () => remove(item) }
    ];
    if (item.folder) {
      return [{ label: trans.__('Open'), execute: () => goTo(item.key) }, path, null, ...changes];
    }
    return [
      { label: trans.__('Download'), execute: () => save(store.downloadUrl(bucket, item.key)) },
      code,
      path,
      null,
      { label: trans.__('Share…'), execute: () => share(item) },
      { label: trans.__('Versions…'), enabled: browser.keepsVersions(), execute: () => versions(item) },
      ...(search === ''
        ? []
        : [{ label: trans.__('Show in its folder'), execute: () => goTo(parentOf(item.key)) }]),
      null,
      ...changes
    ];
  };
  const menu = (key: string, anchor: HTMLElement) => openMenu(anchor, entries(byKey.get(key)!));
  const open = (key: string) => {
    if (byKey.get(key)!.folder) {
      goTo(key);
      return;
    }
    const row = Array.from(document.querySelectorAll<HTMLElement>(`#${BUCKETS_ID} [data-key]`)).find(
      node => node.dataset.key === key
    );
    if (row) {
      menu(key, row);
    }
  };
  const mark = (key: string, on: boolean) => {
    const now = new Set(marked);
    on ? now.add(key) : now.delete(key);
    onMark(now);
  };
  const onKey = (key: string, { key: pressed }: React.KeyboardEvent): boolean => {
    const item = byKey.get(key)!;
    switch (pressed) {
      case 'Delete':
        remove(item);
        return true;
      case 'F2':
        rename(item);
        return true;
      case 'Backspace':
        if (prefix !== '') {
          goTo(parentOf(prefix));
        }
        return true;
      default:
        return false;
    }
  };

  const rowOf = (item: IStoredObject): IRow => {
    const { key, folder, modified_at } = item;
    const text = shown(search === '' ? baseName(key) : key.slice(prefix.length), trans);
    const bytes = folder ? '' : size(item.size, tag);
    const changed = modified_at === null ? '' : age(new Date(modified_at), now, language);
    const Icon = folder ? folderIcon : fileIcon;
    const name = <Name text={text} />;
    return {
      key,
      name: text,
      label: [text, folder ? trans.__('folder') : bytes, changed].filter(part => part !== '').join(', '),
      icon: <Icon.react tag="span" aria-hidden="true" />,
      cells: [
        folder ? (
          <button type="button" className="jp-Naas-open" tabIndex={-1} onClick={() => goTo(key)}>
            {name}
          </button>
        ) : (
          name
        ),
        bytes,
        folder ? null : <When at={modified_at} now={now} />
      ],
      actions: (
        <>
          {folder ? null : (
            <>
              <IconButton
                icon={downloadIcon}
                name={trans.__('Download %1', text)}
                tabIndex={-1}
                className="jp-Naas-wide"
                onClick={() => save(store.downloadUrl(bucket, key))}
              />
              <IconButton
                icon={shareIcon}
                name={trans.__('Share %1', text)}
                tabIndex={-1}
                className="jp-Naas-wide"
                onClick={() => share(item)}
              />
            </>
          )}
          <IconButton
            icon={ellipsesIcon}
            name={trans.__('More for %1', text)}
            tabIndex={-1}
            onClick={event => menu(key, event.currentTarget)}
          />
        </>
      )
    };
  };

  // Thousands of rows: made again only when what they say changes, ages once a minute.
  const minute = Math.floor(now.getTime() / 60_000);
  const rows = React.useMemo(() => items.map(rowOf), [items, search, prefix, marked, minute]);
  const more = listed.next !== null;
  return (
    <Grid
      key={`${bucket}/${prefix}`}
      name={trans.__('Files in %1', `${bucket}/${prefix}`)}
      heads={[
        { text: trans.__('Name') },
        { text: trans.__('Size'), kind: 'number' },
        { text: trans.__('Changed'), kind: 'wide' }
      ]}
      rows={rows}
      more={more}
      marked={marked}
      onMark={mark}
      onOpen={open}
      onMenu={menu}
      onKey={onKey}
      onEnd={() => {
        if (listing !== null && !listing.busy && !listing.paused && listing.view(1).kind === 'data') {
          void listing.more();
        }
      }}
    />
  );
}
