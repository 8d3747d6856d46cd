import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { StateIcon } from '../icons';
import { nextRow } from '../keyboard';
import type { ISummary } from '../summary';

/** Arrow keys go from header to header. */
function onHeaderKey(event: React.KeyboardEvent<HTMLButtonElement>): void {
  const panel = event.currentTarget.closest('.jp-Naas');
  const headers = Array.from(panel?.querySelectorAll<HTMLElement>('.jp-Naas-toggle') ?? []);
  const row = headers.indexOf(event.currentTarget);
  const next =
    event.key.length > 1
      ? nextRow(
          event.key,
          row,
          headers.map(() => '')
        )
      : null;
  if (next !== null) {
    event.preventDefault();
    headers[next].focus();
  }
}

/** A part of the panel that folds; closed, its header says the worst state inside. */
export function Section(props: {
  id: string;
  title: string;
  open: boolean;
  onToggle: () => void;
  summary: ISummary | null;
  tools: React.ReactNode;
  tooltip?: string;
  children: React.ReactNode;
}): JSX.Element {
  const { id, title, open, summary } = props;
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <section
      className={`jp-Naas-section ${open ? 'jp-mod-open' : ''}`}
      aria-labelledby={`${id}-title`}
      id={id}
    >
      <div className="jp-Naas-sectionHeader" title={props.tooltip}>
        <h2>
          <button
            type="button"
            className="jp-Naas-toggle"
            aria-expanded={open}
            aria-controls={`${id}-body`}
            onClick={props.onToggle}
            onKeyDown={onHeaderKey}
          >
            <Caret.react tag="span" aria-hidden="true" />
            <span id={`${id}-title`}>{title}</span>
          </button>
        </h2>
        {!open && summary ? (
          <span className={`jp-Naas-sectionState jp-mod-${summary.look}`}>
            <StateIcon look={summary.look} />
            {summary.text}
          </span>
        ) : null}
        {open ? <span className="jp-Naas-tools">{props.tools}</span> : null}
      </div>
      <div className="jp-Naas-sectionBody" id={`${id}-body`} hidden={!open}>
        {open ? props.children : null}
      </div>
    </section>
  );
}
