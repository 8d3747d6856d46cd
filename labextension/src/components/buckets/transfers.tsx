import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { baseName, shown } from '../../buckets/keys';
import type { ITransfer } from '../../buckets/transfers';
import { count, size } from '../../formats';
import { StateIcon } from '../../icons';
import type { IShown } from '../../states';
import { ILanguage, IWords, told } from '../../words';
import { IconButton, LinkButton, Meter, Name } from '../basics';
import { useNaas } from '../context';
import { useBuckets } from './context';

/** Rows shown; troubled and running files come first. */
const MOST = 50;
const ORDER = ['exists', 'failed', 'uploading', 'waiting', 'saved'];

function transferState({ state }: ITransfer, trans: IWords): IShown {
  switch (state) {
    case 'waiting':
      return { look: 'waiting', word: trans.__('Waiting') };
    case 'uploading':
      return { look: 'busy', word: trans.__('Uploading') };
    case 'exists':
      return { look: 'warn', word: trans.__('A file of this name is there already') };
    case 'failed':
      return { look: 'bad', word: trans.__('Not saved') };
    case 'saved':
      return { look: 'ok', word: trans.__('Saved') };
  }
}

function Row({ transfer }: { transfer: ITransfer }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { transfers } = useBuckets().browser;
  const { id, key, file, sent, state, failure } = transfer;
  const { look, word } = transferState(transfer, trans);
  const name = shown(baseName(key), trans);
  const progress = trans.__('%1 of %2', size(sent, tag), size(file.size, tag));
  const percent = file.size > 0 ? (100 * sent) / file.size : 0;
  return (
    <li className="jp-Naas-transfer" data-transfer={key} data-state={state}>
      <StateIcon look={look} />
      <div className="jp-Naas-cell" title={`${transfer.bucket}/${key}`}>
        <Name text={name} />
        {state === 'uploading' ? (
          <Meter percent={percent} name={trans.__('Upload of %1', name)} text={progress} look="busy" />
        ) : null}
        {state === 'failed' && failure ? (
          <div className="jp-Naas-cause">{told(failure.message, trans)}</div>
        ) : null}
      </div>
      <span className="jp-Naas-side">
        {state === 'uploading' ? progress : <span className={`jp-mod-${look}`}>{word}</span>}
      </span>
      {state === 'failed' ? (
        <LinkButton
          label={trans.__('Retry')}
          name={trans.__('Retry upload of %1', name)}
          onClick={() => transfers.retry([id])}
        />
      ) : null}
      {state === 'exists' ? (
        <LinkButton
          label={trans.__('Replace')}
          name={trans.__('Replace %1', name)}
          onClick={() => transfers.retry([id], true)}
        />
      ) : null}
      <IconButton
        icon={closeIcon}
        name={
          state === 'uploading' || state === 'waiting'
            ? trans.__('Cancel upload of %1', name)
            : trans.__('Take %1 off this list', name)
        }
        onClick={() => transfers.cancel([id])}
      />
    </li>
  );
}

function headline(all: readonly ITransfer[], { trans, tag }: ILanguage): string {
  const saved = all.filter(({ state }) => state === 'saved').length;
  const sent = all.reduce((sum, transfer) => sum + transfer.sent, 0);
  const total = all.reduce((sum, { file }) => sum + file.size, 0);
  return [
    trans._n(
      '%2 of 1 file uploaded',
      '%2 of %3 files uploaded',
      all.length,
      count(saved, tag),
      count(all.length, tag)
    ),
    trans.__('%1 of %2', size(sent, tag), size(total, tag))
  ].join(' · ');
}

/** Uploads from this browser: at the foot of the tab as long as there are any. */
export function TransferList(): JSX.Element | null {
  const { language } = useNaas();
  const { trans, tag } = language;
  const { transfers } = useBuckets().browser;
  const all = transfers.all;
  if (all.length === 0) {
    return null;
  }
  const ids = (states: string[]) => all.filter(({ state }) => states.includes(state)).map(({ id }) => id);
  const there = ids(['exists']);
  const failed = ids(['failed']);
  const running = ids(['waiting', 'uploading']);
  const rows = [...all].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state)).slice(0, MOST);
  const rest = all.length - rows.length;
  return (
    <section className="jp-Naas-transfers" aria-label={trans.__('Uploads')}>
      <div className="jp-Naas-transfersHead">
        <h3>{trans.__('Uploads')}</h3>
        <span className="jp-Naas-side">{headline(all, language)}</span>
        <span className="jp-Naas-fill" />
        {there.length > 1 ? (
          <LinkButton label={trans.__('Replace all')} onClick={() => transfers.retry(there, true)} />
        ) : null}
        {failed.length > 1 ? (
          <LinkButton label={trans.__('Retry all')} onClick={() => transfers.retry(failed)} />
        ) : null}
        {running.length > 1 ? (
          <LinkButton label={trans.__('Cancel all')} onClick={() => transfers.cancel(running)} />
        ) : null}
        {ids(['saved']).length > 0 ? (
          <LinkButton label={trans.__('Clear')} onClick={() => transfers.clear()} />
        ) : null}
      </div>
      <ul className="jp-Naas-list">
        {rows.map(transfer => (
          <Row key={transfer.id} transfer={transfer} />
        ))}
      </ul>
      {rest > 0 ? (
        <p className="jp-Naas-hint">{trans._n('and 1 more', 'and %2 more', rest, count(rest, tag))}</p>
      ) : null}
    </section>
  );
}
