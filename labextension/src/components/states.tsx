import { Clipboard } from '@jupyterlab/apputils';
import React from 'react';

import { clock, count } from '../formats';
import type { IFailure, View } from '../resource';
import { toldAll } from '../words';
import { Age, LinkButton, Note } from './basics';
import { useNaas } from './context';

/** Seconds before anything is drawn, and before the wait is put in words. */
const SKELETON = 0.15;
export const WORDS = 5;
const WIDTHS = [
  [52, 78],
  [40, 66],
  [61, 82],
  [46, 58]
];

/** Nothing at first, then the shape of the list, then words. */
export function Loading({
  seconds,
  what
}: {
  seconds: number;
  what: (waited: string) => string;
}): JSX.Element | null {
  const { language } = useNaas();
  const [early, setEarly] = React.useState(seconds < SKELETON);
  React.useEffect(() => {
    const timer = setTimeout(() => setEarly(false), SKELETON * 1000);
    return () => clearTimeout(timer);
  }, []);
  if (early) {
    return null;
  }
  const waited = seconds >= WORDS ? what(language.trans.__('%1 s', Math.floor(seconds))) : null;
  return (
    <div className="jp-Naas-loading" aria-busy="true" data-testid="naas-loading">
      {WIDTHS.map(([first, second]) => (
        <div className="jp-Naas-row" key={first} aria-hidden="true">
          <i className="jp-Naas-bone jp-mod-circle" />
          <div>
            <i className="jp-Naas-bone" style={{ width: `${first}%` }} />
            <i className="jp-Naas-bone jp-mod-small" style={{ width: `${second}%` }} />
          </div>
        </div>
      ))}
      <p className="jp-Naas-hint">
        {waited ?? <span className="jp-Naas-sr">{language.trans.__('Loading')}</span>}
      </p>
    </div>
  );
}

/** Nothing to show, and that is in order: what belongs here, in a sentence. */
export function Empty(props: {
  title: string;
  children: React.ReactNode;
  action?: React.ReactNode;
}): JSX.Element {
  return (
    <div className="jp-Naas-empty" data-testid="naas-empty">
      <b>{props.title}</b>
      <p>{props.children}</p>
      {props.action}
    </div>
  );
}

/** A search of one folder that has found nothing. Parameters: `scanned`, how many names it looked at. */
export function NothingFound(props: { search: string; scanned: number; clear: () => void }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { search, scanned, clear } = props;
  return (
    <Empty
      title={trans.__('Nothing matches “%1”', search)}
      action={<LinkButton label={trans.__('Clear search')} onClick={clear} />}
    >
      {trans._n(
        'Looked at 1 name below this folder.',
        'Looked at %2 names below this folder.',
        scanned,
        count(scanned, tag)
      )}
    </Empty>
  );
}

function details(failure: IFailure): string {
  return [
    `code: ${failure.code}`,
    `message: ${failure.message}`,
    `request: ${failure.requestId || '-'}`
  ].join('\n');
}

/** What went wrong, what goes on regardless, and the next step. Parameters: `retry`, asks for what is missing. */
export function Failure(props: {
  title: string;
  failure: IFailure;
  retry: () => Promise<unknown>;
  children?: React.ReactNode;
}): JSX.Element {
  const { trans } = useNaas().language;
  const { failure, retry } = props;
  return (
    <div data-testid="naas-error">
      <Note
        kind="bad"
        actions={
          <>
            <LinkButton label={trans.__('Try again')} onClick={retry} />
            <LinkButton
              label={trans.__('Copy details')}
              onClick={() => Clipboard.copyToSystem(details(failure))}
            />
          </>
        }
      >
        <b>{props.title}</b> {toldAll(failure.message, trans)} {props.children}
      </Note>
      <p className="jp-Naas-hint">{trans.__('Code %1', failure.code)}</p>
    </div>
  );
}

/** The last data are shown below, and this is how old they are. */
export function Stale(props: {
  receivedAt: Date;
  now: Date;
  retry: () => Promise<unknown>;
  cause?: string;
}): JSX.Element {
  const { trans, tag } = useNaas().language;
  return (
    <div data-testid="naas-stale">
      <Note kind="warn" actions={<LinkButton label={trans.__('Try again')} onClick={props.retry} />}>
        {trans.__('Shown as of %1,', clock(props.receivedAt, tag))}{' '}
        <b>
          <Age at={props.receivedAt} now={props.now} />
        </b>
        . {trans.__('Not refreshed since.')} {props.cause ? toldAll(props.cause, trans) : null}
      </Note>
    </div>
  );
}

/** The four states around a list that comes from the store. */
export function States<T>(props: {
  view: View<T>;
  failed: string;
  now: Date;
  retry: () => Promise<unknown>;
  children: (data: T) => React.ReactNode;
}): JSX.Element {
  const { trans } = useNaas().language;
  const { view, failed, now, retry, children } = props;
  if (view.kind === 'loading') {
    return <Loading seconds={view.seconds} what={waited => trans.__('Still asking the store, %1', waited)} />;
  }
  if (view.kind === 'error') {
    return <Failure title={failed} failure={view.failure} retry={retry} />;
  }
  return (
    <>
      {view.failure !== null || view.stale ? (
        <Stale receivedAt={view.receivedAt} now={now} retry={retry} cause={view.failure?.message} />
      ) : null}
      {children(view.data)}
    </>
  );
}
