import { Clipboard } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../../api';
import { baseName, shown } from '../../buckets/keys';
import type { ILink, IStoredObject } from '../../documents';
import { absolute, remaining } from '../../formats';
import type { IFailure } from '../../resource';
import { told } from '../../words';
import { Note } from '../basics';
import { useNaas } from '../context';
import { Dialog } from '../dialog';
import { useBuckets } from './context';

const HOUR = 3600;
/** Seconds to choose from; those that the session does not allow are left out. */
const CHOICES = [900, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

/** A link to one file, for people without an account here. */
export function Share({ item, close }: { item: IStoredObject; close: () => void }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const { browser } = useBuckets();
  const { bucket } = browser.place;
  // Not chosen: an hour, or what is left of the session when that is less.
  const [chosen, setChosen] = React.useState<number | null>(null);
  const [link, setLink] = React.useState<ILink | null>(null);
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const [copied, setCopied] = React.useState(false);
  const choice = React.useRef<HTMLSelectElement>(null);
  const id = React.useId();

  React.useEffect(() => {
    let current = true;
    setLink(null);
    setFailure(null);
    setCopied(false);
    browser.store.share(bucket, item.key, chosen).then(
      made => current && setLink(made),
      error => current && setFailure(asFailure(error))
    );
    return () => {
      current = false;
    };
  }, [chosen]);

  const [longest, setLongest] = React.useState(HOUR);
  React.useEffect(() => {
    if (link !== null) {
      setLongest(link.longest_seconds);
    }
  }, [link]);
  // Seconds pass between two answers: the longest choice is a little shorter than what was told.
  const most = Math.floor(longest / 60 - 1) * 60;
  const seconds = chosen ?? Math.min(HOUR, most);
  const offered = CHOICES.filter(value => value < most);
  const choices = Array.from(new Set([...offered, ...(most > 0 ? [most] : []), seconds])).sort(
    (a, b) => a - b
  );
  return (
    <Dialog
      title={trans.__('Share %1', shown(baseName(item.key), trans))}
      keep={trans.__('Close')}
      onClose={close}
      first={choice}
    >
      <p>
        {trans.__(
          'Everybody who has the link can read this file until the link ends. A link cannot be taken back.'
        )}
      </p>
      <div className="jp-Naas-field">
        <label htmlFor={`${id}-choice`}>{trans.__('The link works for')}</label>
        <select
          ref={choice}
          id={`${id}-choice`}
          value={seconds}
          aria-describedby={`${id}-longest`}
          onChange={event => setChosen(Number(event.target.value))}
        >
          {choices.map(value => (
            <option key={value} value={value}>
              {remaining(value, language)}
            </option>
          ))}
        </select>
        <div id={`${id}-longest`} className="jp-Naas-fieldHint">
          {link
            ? trans.__('Your session allows at most %1 now.', remaining(link.longest_seconds, language))
            : null}
        </div>
      </div>
      <div className="jp-Naas-field">
        <label htmlFor={`${id}-link`}>{trans.__('Link')}</label>
        <div className="jp-Naas-copy">
          <input
            id={`${id}-link`}
            readOnly
            value={link?.url ?? ''}
            onFocus={event => event.target.select()}
          />
          <button
            type="button"
            className="jp-Naas-button jp-mod-primary"
            disabled={link === null}
            onClick={() => {
              Clipboard.copyToSystem(link!.url);
              setCopied(true);
            }}
          >
            {trans.__('Copy link')}
          </button>
        </div>
        <div className="jp-Naas-fieldHint" role="status">
          {link ? trans.__('Ends %1.', absolute(new Date(link.expires_at), tag)) : null}{' '}
          {copied ? trans.__('Copied.') : null}
        </div>
      </div>
      {failure ? <Note kind="bad">{told(failure.message, trans)}</Note> : null}
    </Dialog>
  );
}
