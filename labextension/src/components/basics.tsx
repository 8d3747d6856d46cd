import { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { absolute, age, split } from '../formats';
import { useNaas } from './context';

/** A button that is an icon; its name says verb and object. */
export function IconButton(props: {
  icon: LabIcon;
  name: string;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
  tabIndex?: number;
  className?: string;
}): JSX.Element {
  const { icon, name, onClick, tabIndex, className } = props;
  return (
    <button
      type="button"
      className={`jp-Naas-iconButton ${className ?? ''}`}
      aria-label={name}
      title={name}
      tabIndex={tabIndex}
      onClick={onClick}
    >
      <icon.react tag="span" aria-hidden="true" />
    </button>
  );
}

export function LinkButton(props: { label: string; onClick: () => void }): JSX.Element {
  return (
    <button type="button" className="jp-Naas-link" onClick={props.onClick}>
      {props.label}
    </button>
  );
}

/** How long ago; the exact time is in the tooltip. `text` may wrap the age into a sentence. */
export function Age(props: { at: Date; now: Date; text?: (age: string) => string }): JSX.Element {
  const { language } = useNaas();
  const { at, now, text = value => value } = props;
  return (
    <time dateTime={at.toISOString()} title={absolute(at, language.tag)}>
      {text(age(at, now, language))}
    </time>
  );
}

/** A name whose start is cut when it is too long for its place. */
export function Name({ text }: { text: string }): JSX.Element {
  const [start, end] = split(text);
  return (
    <span className="jp-Naas-name" title={text}>
      <span className="jp-Naas-nameStart">{start}</span>
      <span className="jp-Naas-nameEnd">{end}</span>
    </span>
  );
}

/** A note above a list: what happened, what is safe, what to do. */
export function Note(props: {
  kind: 'bad' | 'warn' | 'busy';
  actions?: React.ReactNode;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <div className={`jp-Naas-note jp-mod-${props.kind}`} role={props.kind === 'bad' ? 'alert' : 'status'}>
      {props.children}
      {props.actions ? <div className="jp-Naas-noteActions">{props.actions}</div> : null}
    </div>
  );
}
