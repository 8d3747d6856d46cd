import React from 'react';

import { BucketBrowser, INTERVAL } from '../../buckets/browser';
import { droppedFiles } from '../../buckets/dropped';
import { count } from '../../formats';
import { LinkButton } from '../basics';
import { useChanges, useNaas, useNow } from '../context';
import { onSearchKey, Search } from '../search';
import { Empty, NothingFound, States } from '../states';
import { BucketList } from './bucketList';
import { Ask, BucketsProvider, useBuckets } from './context';
import { DeleteObjects } from './deleteDialogs';
import { Header, NewBucketButton, UploadButton } from './header';
import { ObjectList } from './objectList';
import { TransferList } from './transfers';

function Buckets({ now }: { now: Date }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  return (
    <States
      view={browser.buckets.view(INTERVAL)}
      failed={trans.__('Your buckets could not be listed.')}
      now={now}
      retry={() => browser.refresh()}
    >
      {buckets =>
        buckets.length === 0 ? (
          <Empty title={trans.__('No buckets')} action={<NewBucketButton primary />}>
            {trans.__('A bucket keeps files in the cloud, for notebooks and other programs.')}
          </Empty>
        ) : (
          <BucketList buckets={buckets} now={now} />
        )
      }
    </States>
  );
}

function Objects({ now }: { now: Date }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { browser, ask } = useBuckets();
  const { place, search } = browser;
  const listing = browser.listing!;
  const [marked, onMark] = React.useState<ReadonlySet<string>>(new Set());
  React.useEffect(() => onMark(new Set()), [place, search]);
  // People who have read on see old rows on purpose: only a first page is looked at again.
  const interval = (listing.listed?.pages ?? 0) > 1 ? Infinity : INTERVAL;

  return (
    <>
      <div className="jp-Naas-listTools">
        <Search place={place} text={search} onSearch={text => browser.open(place, text)} />
        {marked.size > 0 ? (
          <span className="jp-Naas-marked" role="status">
            {trans._n('1 marked', '%2 marked', marked.size, count(marked.size, tag))}
            <LinkButton
              label={trans.__('Delete…')}
              onClick={() =>
                ask(close => (
                  <DeleteObjects
                    items={(listing.listed?.items ?? []).filter(({ key }) => marked.has(key))}
                    done={() => onMark(new Set())}
                    close={close}
                  />
                ))
              }
            />
            <LinkButton label={trans.__('Clear')} onClick={() => onMark(new Set())} />
          </span>
        ) : null}
      </div>
      <States
        view={listing.view(interval)}
        failed={trans.__('%1 could not be listed.', `${place.bucket}/${place.prefix}`)}
        now={now}
        retry={() => browser.refresh()}
      >
        {listed => (
          <>
            {listed.items.length > 0 ? (
              <ObjectList listed={listed} marked={marked} onMark={onMark} now={now} />
            ) : listed.next !== null ? (
              <SearchOn />
            ) : search === '' ? (
              <Empty title={trans.__('This folder is empty')} action={<UploadButton />}>
                {trans.__('Drop files here.')}
              </Empty>
            ) : (
              <NothingFound search={search} scanned={listed.scanned} clear={() => browser.open(place)} />
            )}
            <Foot />
          </>
        )}
      </States>
    </>
  );
}

/** A search that has found nothing yet looks on by itself, until it has looked at very much. */
function SearchOn(): JSX.Element {
  const { trans } = useNaas().language;
  const listing = useBuckets().browser.listing!;
  const { busy, paused } = listing;
  React.useEffect(() => {
    if (!busy && !paused) {
      void listing.more();
    }
  }, [listing, busy, paused]);
  return (
    <Empty title={trans.__('Nothing found yet')}>
      {paused ? trans.__('There is more to look through.') : trans.__('Looking on…')}
    </Empty>
  );
}

/** How much is shown, and of what. */
function Foot(): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { search, listing } = useBuckets().browser;
  const { items, next, scanned } = listing!.listed!;
  const shown = trans._n('1 entry', '%2 entries', items.length, count(items.length, tag));
  return (
    <div className="jp-Naas-foot" role="status">
      {next === null ? shown : trans.__('%1 so far; scroll for more', shown)}
      {search === ''
        ? null
        : ` · ${trans._n('looked at 1 name', 'looked at %2 names', scanned, count(scanned, tag))}`}
      {listing!.busy ? ` · ${trans.__('loading')}` : null}
      {listing!.paused ? <LinkButton label={trans.__('Search on')} onClick={() => listing!.goOn()} /> : null}
    </div>
  );
}

/** The whole tab. Files may be dropped anywhere on it. */
export function BucketsTab({ browser }: { browser: BucketBrowser }): JSX.Element {
  const { trans } = useNaas().language;
  const [dialog, setDialog] = React.useState<Parameters<Ask>[0] | null>(null);
  const [dropping, setDropping] = React.useState(false);
  const [dropProblem, setDropProblem] = React.useState('');
  const frame = React.useRef<HTMLDivElement>(null);
  useChanges(browser);
  const now = useNow(browser.visible);
  const { place, listing } = browser;
  const view = listing === null ? browser.buckets.view(INTERVAL) : listing.view(INTERVAL);
  const droppable = place.bucket !== '';

  const close = () => {
    setDialog(null);
    // What had the focus may be gone with what was done.
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) {
        frame.current?.querySelector<HTMLElement>('[role=row][tabindex="0"], header button')?.focus();
      }
    });
  };
  const onDrop = async (event: React.DragEvent) => {
    event.preventDefault();
    setDropping(false);
    setDropProblem('');
    try {
      browser.upload(await droppedFiles(event.dataTransfer));
    } catch {
      setDropProblem(
        trans.__('Your browser could not read what you dropped. Nothing was sent; try Upload….')
      );
    }
  };
  return (
    <BucketsProvider value={{ browser, ask: draw => setDialog(() => draw) }}>
      <div
        ref={frame}
        className={`jp-Naas jp-Naas-tab ${dropping ? 'jp-mod-dropping' : ''}`}
        onKeyDown={onSearchKey}
        onDragOver={event => {
          if (droppable && event.dataTransfer.types.includes('Files')) {
            event.preventDefault();
            event.stopPropagation();
            setDropping(true);
          }
        }}
        onDragLeave={event => {
          if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
            setDropping(false);
          }
        }}
        onDrop={event => {
          if (droppable) {
            void onDrop(event);
          }
        }}
      >
        <Header receivedAt={view.kind === 'data' ? view.receivedAt : null} now={now} />
        {dropProblem ? (
          <p className="jp-Naas-problem" role="alert">
            {dropProblem}
          </p>
        ) : null}
        <div className="jp-Naas-tabBody">
          {listing === null ? <Buckets now={now} /> : <Objects key={place.bucket} now={now} />}
        </div>
        <TransferList />
        {dropping ? (
          <div className="jp-Naas-dropHint">
            {trans.__('Drop to upload into %1', `${place.bucket}/${place.prefix}`)}
          </div>
        ) : null}
        {dialog ? dialog(close) : null}
      </div>
    </BucketsProvider>
  );
}
