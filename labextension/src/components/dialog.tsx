import { Notification } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../api';
import type { IFailure } from '../resource';
import { told } from '../words';
import { Note } from './basics';
import { useNaas } from './context';

/**
 * A question. The browser's own `dialog` traps the focus, makes the page behind inert, and gives the focus back.
 *
 * Parameters: `keep`, the word of the safe button; `submit`, the other one, whose work keeps the dialog open until it is
 * done and shows why it failed; `first`, where the focus is at the start instead of on the safe button.
 */
export function Dialog(props: {
  title: string;
  keep: string;
  onClose: () => void;
  submit?: { label: string; danger?: boolean; disabled?: boolean; work: () => Promise<unknown> | void };
  first?: React.RefObject<HTMLElement>;
  children: React.ReactNode;
}): JSX.Element {
  const { trans } = useNaas().language;
  const { title, keep, onClose, submit, first, children } = props;
  const [busy, setBusy] = React.useState(false);
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const frame = React.useRef<HTMLDialogElement>(null);
  const safe = React.useRef<HTMLButtonElement>(null);
  const titleId = React.useId();

  React.useLayoutEffect(() => {
    const dialog = frame.current!;
    dialog.showModal();
    (first?.current ?? safe.current)?.focus();
    return () => dialog.close(); // gives the focus back
  }, []);

  const work = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await submit!.work();
      onClose();
    } catch (error) {
      const cause = asFailure(error);
      if (frame.current === null) {
        Notification.error(`${title} ${told(cause.message, trans)}`, { autoClose: false });
      }
      setFailure(cause);
      setBusy(false);
    }
  };

  return (
    <dialog
      ref={frame}
      className="jp-Naas-dialog"
      aria-labelledby={titleId}
      onCancel={event => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={event => event.stopPropagation()}
      onContextMenu={event => event.stopPropagation()}
    >
      <form
        onSubmit={event => {
          event.preventDefault();
          if (submit && !submit.disabled && !busy) {
            void work();
          }
        }}
      >
        <h2 id={titleId}>{title}</h2>
        {children}
        {failure ? <Note kind="bad">{told(failure.message, trans)}</Note> : null}
        <div className="jp-Naas-dialogButtons">
          <button ref={safe} type="button" className="jp-Naas-button" onClick={onClose}>
            {keep}
          </button>
          {submit ? (
            <button
              type="submit"
              className={`jp-Naas-button ${submit.danger ? 'jp-mod-danger' : 'jp-mod-primary'}`}
              disabled={submit.disabled || busy}
            >
              {submit.label}
            </button>
          ) : null}
        </div>
      </form>
    </dialog>
  );
}

/** A line to type in, with its label above and what is wrong with it below. */
export const Field = React.forwardRef<
  HTMLInputElement,
  {
    label: string;
    value: string;
    onChange: (value: string) => void;
    problem: string | null;
    /** Stands before the input and cannot be changed. */
    before?: string;
    hint?: string;
    /** Not to be read over a shoulder. */
    secret?: boolean;
  }
>(function Field({ label, value, onChange, problem, before, hint, secret }, ref): JSX.Element {
  const id = React.useId();
  const [left, setLeft] = React.useState(false);
  const wrong = left && problem !== null;
  return (
    <div className="jp-Naas-field">
      <label htmlFor={id}>{label}</label>
      <div className={`jp-Naas-input ${wrong ? 'jp-mod-wrong' : ''}`}>
        {before ? <span id={`${id}-before`}>{before}</span> : null}
        <input
          ref={ref}
          id={id}
          type={secret ? 'password' : 'text'}
          value={value}
          spellCheck={false}
          autoComplete={secret ? 'new-password' : 'off'}
          aria-invalid={wrong}
          aria-describedby={[before ? `${id}-before` : '', `${id}-below`].join(' ')}
          onChange={event => {
            setLeft(false); // said on leaving, taken back while typing
            onChange(event.target.value);
          }}
          onBlur={() => setLeft(value !== '')}
          onKeyDown={event => event.key === 'Enter' && setLeft(value !== '')} // the button is off: say why
        />
      </div>
      <div id={`${id}-below`} className={wrong ? 'jp-Naas-problem' : 'jp-Naas-fieldHint'}>
        {wrong ? problem : hint}
      </div>
    </div>
  );
});

/** A box to tick; with `group`, one of several of which one is chosen. */
export function Check(props: {
  label: string;
  hint: string;
  checked: boolean;
  disabled?: boolean;
  group?: string;
  onChange: (checked: boolean) => void;
}): JSX.Element {
  const id = React.useId();
  return (
    <div className="jp-Naas-check">
      <input
        id={id}
        type={props.group === undefined ? 'checkbox' : 'radio'}
        name={props.group}
        checked={props.checked}
        disabled={props.disabled}
        aria-describedby={`${id}-hint`}
        onChange={event => props.onChange(event.target.checked)}
      />
      <div>
        <label htmlFor={id}>{props.label}</label>
        <div id={`${id}-hint`} className="jp-Naas-fieldHint">
          {props.hint}
        </div>
      </div>
    </div>
  );
}
