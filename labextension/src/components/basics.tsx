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

/** A button that keeps only its icon where there is no room for its word. */
export function Tool(props: {
  icon: LabIcon;
  label: string;
  primary?: boolean;
  disabled?: boolean;
  onClick: () => void;
}): JSX.Element {
  const { icon: Icon, label, primary, disabled, onClick } = props;
  return (
    <button
      type="button"
      className={`jp-Naas-button ${primary ? 'jp-mod-primary' : ''}`}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon.react tag="span" aria-hidden="true" />
      <span className="jp-Naas-toolWord">{label}</span>
    </button>
  );
}

/** Words to press; while what they started is on its way, they cannot be pressed again. */
export function LinkButton(props: {
  label: string;
  name?: string;
  onClick: () => void | Promise<unknown>;
}): JSX.Element {
  const [busy, setBusy] = React.useState(false);
  const onClick = () => {
    const work = props.onClick();
    if (work) {
      setBusy(true);
      void work.finally(() => setBusy(false));
    }
  };
  return (
    <button
      type="button"
      className="jp-Naas-link"
      aria-label={props.name}
      aria-disabled={busy}
      onClick={busy ? undefined : onClick}
    >
      {props.label}
    </button>
  );
}

/** A share of something, in percent; the number stands beside it. */
export function Meter(props: {
  percent: number;
  name: string;
  text: string;
  look?: 'warn' | 'busy';
}): JSX.Element {
  const { percent, name, text, look } = props;
  const shown = Math.min(100, Math.max(0, percent));
  return (
    <span
      className={`jp-Naas-meter ${look ? `jp-mod-${look}` : ''}`}
      role={look === 'busy' ? 'progressbar' : 'meter'}
      aria-label={name}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={shown}
      aria-valuetext={text}
    >
      <i style={{ width: `${shown}%` }} />
    </span>
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
