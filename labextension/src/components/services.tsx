import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { IHealth, IPart } from '../documents';
import { StateIcon } from '../icons';
import type { IFailure, View } from '../resource';
import { partName, partState } from '../states';
import { ISummary, services } from '../summary';
import type { ILanguage } from '../words';
import { Age } from './basics';
import { useNaas } from './context';
import { Failure } from './states';

function Row({ part }: { part: IPart }): JSX.Element {
  const { trans } = useNaas().language;
  const { look, word } = partState(part.state, trans);
  return (
    <li className="jp-Naas-row" data-part={part.name}>
      <StateIcon look={look} />
      <div className="jp-Naas-cell">
        <div className="jp-Naas-title">{partName(part.name, trans)}</div>
        {part.state !== 'ok' ? (
          <div className="jp-Naas-cause">
            <span className={`jp-mod-${look}`}>{word}</span>
            {part.detail ? `. ${part.detail}` : ''}
          </div>
        ) : null}
      </div>
      <div className="jp-Naas-side">
        {part.latency_ms !== null ? `${Math.max(1, Math.round(part.latency_ms))} ms` : null}
      </div>
    </li>
  );
}

function failed(failure: IFailure, { trans }: ILanguage): ISummary {
  return failure.code === 'no-gateway'
    ? { look: 'off', text: trans.__('Not connected to a platform') }
    : { look: 'bad', text: trans.__('The platform does not answer') };
}

function headline(view: View<IHealth>, language: ILanguage): ISummary {
  if (view.kind === 'loading') {
    return { look: 'waiting', text: language.trans.__('Asking the services') };
  }
  if (view.kind === 'error') {
    return failed(view.failure, language);
  }
  return view.stale && view.failure !== null ? failed(view.failure, language) : services(view.data, language);
}

/** The strip at the bottom; it opens the list of services above itself. */
export function Services(props: { open: boolean; onToggle: () => void; now: Date }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const view = model.health.view(model.healthInterval);
  const { look, text } = headline(view, language);
  const Caret = props.open ? caretDownIcon : caretRightIcon;
  return (
    <section className="jp-Naas-services" aria-label={trans.__('Services')}>
      <div id="jp-naas-services-list" hidden={!props.open} className="jp-Naas-servicesList">
        {view.kind === 'data' && !(view.stale && view.failure) ? (
          <ul className="jp-Naas-list">
            {view.data.parts.map(part => (
              <Row key={part.name} part={part} />
            ))}
          </ul>
        ) : null}
        {props.open && view.kind !== 'loading' && view.failure !== null ? (
          <Failure title={text + '.'} failure={view.failure} retry={() => model.refresh()} />
        ) : null}
      </div>
      <button
        type="button"
        className="jp-Naas-strip jp-Naas-toggle"
        id="jp-naas-services-toggle"
        aria-expanded={props.open}
        aria-controls="jp-naas-services-list"
        onClick={props.onToggle}
      >
        <StateIcon look={look} />
        <span className={`jp-Naas-stripText jp-mod-${look}`}>{text}</span>
        {view.kind === 'data' ? (
          <span className="jp-Naas-stripAge">
            <Age at={view.receivedAt} now={props.now} />
          </span>
        ) : null}
        <Caret.react tag="span" aria-hidden="true" />
      </button>
    </section>
  );
}
