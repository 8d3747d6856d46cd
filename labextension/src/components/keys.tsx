import { Clipboard } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../api';
import type { IMadeS3Key, IS3Key, IS3Keys } from '../documents';
import { absolute, date, remaining } from '../formats';
import { StateIcon } from '../icons';
import type { IFailure } from '../resource';
import { awsProfile, rcloneRemote } from '../s3Keys';
import { told } from '../words';
import { Age, LinkButton, Note } from './basics';
import { useNaas } from './context';
import { Check, Dialog, Field } from './dialog';

/** Days to choose from; those that the site does not allow are left out. */
const CHOICES = [1, 7, 30, 90, 180, 366];
const LONGEST_DESCRIPTION = 100;

type View =
  | { kind: 'list' }
  | { kind: 'make'; longest: number }
  | { kind: 'made'; made: IMadeS3Key }
  | { kind: 'revoke'; which: IS3Key };

/** The row in the panel that opens the dialogs. */
export function KeysRow(): JSX.Element {
  const { trans } = useNaas().language;
  const [open, setOpen] = React.useState(false);
  return (
    <li className="jp-Naas-row" data-testid="naas-keys">
      <StateIcon look="key" />
      <div className="jp-Naas-title">{trans.__('Keys for other programs')}</div>
      <div className="jp-Naas-rowTools">
        <LinkButton
          label={trans.__('Manage…')}
          name={trans.__('Manage keys for other programs')}
          onClick={() => setOpen(true)}
        />
      </div>
      {open ? <Keys close={() => setOpen(false)} /> : null}
    </li>
  );
}

/** List, make, show once, revoke: one dialog at a time. */
function Keys({ close }: { close: () => void }): JSX.Element {
  const [view, setView] = React.useState<View>({ kind: 'list' });
  const list = () => setView({ kind: 'list' });
  switch (view.kind) {
    case 'make':
      return <Make longest={view.longest} made={made => setView({ kind: 'made', made })} back={list} />;
    case 'made':
      return <Made made={view.made} back={list} />;
    case 'revoke':
      return <Revoke which={view.which} back={list} />;
    default:
      return <List go={setView} close={close} />;
  }
}

function List({ go, close }: { go: (view: View) => void; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const [keys, setKeys] = React.useState<IS3Keys | null>(null);
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const next = React.useRef<View | null>(null);

  const load = () =>
    model.keys.list().then(
      found => {
        setKeys(found);
        setFailure(null);
      },
      error => setFailure(asFailure(error))
    );
  React.useEffect(() => void load(), []);

  const full = keys !== null && keys.items.length >= keys.most;
  return (
    <Dialog
      title={trans.__('Keys for other programs')}
      keep={trans.__('Close')}
      onClose={() => (next.current ? go(next.current) : close())}
      submit={{
        label: trans.__('New key…'),
        disabled: keys === null || full,
        work: () => {
          next.current = { kind: 'make', longest: keys!.longest_days };
        }
      }}
    >
      <p>
        {trans.__(
          'For backup tools, instruments and other programs that cannot renew their access. A key opens your bucket, and your folder in scratch, until it ends.'
        )}
      </p>
      {failure ? (
        <Note kind="bad" actions={<LinkButton label={trans.__('Try again')} onClick={load} />}>
          {told(failure.message, trans)}
        </Note>
      ) : null}
      {keys?.items.length === 0 ? <p className="jp-Naas-fieldHint">{trans.__('You have no keys.')}</p> : null}
      <ul className="jp-Naas-keys">
        {keys?.items.map(key => (
          <Row key={key.id} item={key} revoke={() => go({ kind: 'revoke', which: key })} />
        ))}
      </ul>
      {full ? (
        <p className="jp-Naas-fieldHint" role="status">
          {trans._n(
            'You have 1 key, as many as one may have here. Revoke it first.',
            'You have %2 keys, as many as one may have here. Revoke one first.',
            keys.most,
            keys.most
          )}
        </p>
      ) : null}
    </Dialog>
  );
}

function Row({ item, revoke }: { item: IS3Key; revoke: () => void }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const now = new Date();
  const ends = new Date(item.expires_at);
  const left = (ends.getTime() - now.getTime()) / 1000;
  return (
    <li data-key={item.access_key_id}>
      <div className="jp-Naas-cell">
        <div className="jp-Naas-title">
          <bdi>{item.description}</bdi>
        </div>
        <div className="jp-Naas-detail">
          <code>{item.access_key_id}</code> ·{' '}
          {item.read_only ? trans.__('Read only') : trans.__('Read and write')}
        </div>
        <div className="jp-Naas-detail">
          <Age at={new Date(item.made_at)} now={now} text={text => trans.__('made %1', text)} /> ·{' '}
          {item.state === 'revoking' ? (
            <span className="jp-mod-warn">{trans.__('being revoked')}</span>
          ) : (
            <time dateTime={item.expires_at} title={absolute(ends, tag)}>
              {left < 86400
                ? trans.__('ends in %1', remaining(left, language))
                : trans.__('ends %1', date(ends, tag))}
            </time>
          )}
        </div>
      </div>
      {item.state === 'active' ? (
        <LinkButton
          label={trans.__('Revoke…')}
          name={trans.__('Revoke %1', item.description)}
          onClick={revoke}
        />
      ) : null}
    </li>
  );
}

function Make(props: { longest: number; made: (made: IMadeS3Key) => void; back: () => void }): JSX.Element {
  const { longest } = props;
  const { language, model } = useNaas();
  const { trans } = language;
  const choices = [...CHOICES.filter(days => days < longest), longest];
  const [description, setDescription] = React.useState('');
  const [days, setDays] = React.useState(choices.includes(30) ? 30 : longest);
  const [readOnly, setReadOnly] = React.useState(false);
  const made = React.useRef<IMadeS3Key | null>(null);
  const first = React.useRef<HTMLInputElement>(null);
  const id = React.useId();
  const text = description.trim();
  const problem =
    text === ''
      ? trans.__('Say which program it is for.')
      : text.length > LONGEST_DESCRIPTION
        ? trans.__('At most %1 characters.', LONGEST_DESCRIPTION)
        : null;
  return (
    <Dialog
      title={trans.__('New key')}
      keep={trans.__('Cancel')}
      first={first}
      onClose={() => (made.current ? props.made(made.current) : props.back())}
      submit={{
        label: trans.__('Make key'),
        disabled: problem !== null,
        work: async () => {
          made.current = await model.keys.make({ description: text, days, read_only: readOnly });
        }
      }}
    >
      <Note kind="warn">
        {trans.__(
          'Whoever has the key opens your bucket, without signing in, until it ends or you revoke it. Give each program its own, for no longer than it needs.'
        )}
      </Note>
      <Field
        ref={first}
        label={trans.__('What it is for')}
        value={description}
        onChange={setDescription}
        problem={problem}
        hint={trans.__('For example: backup of the lab computer')}
      />
      <div className="jp-Naas-field">
        <label htmlFor={`${id}-days`}>{trans.__('It works for')}</label>
        <select id={`${id}-days`} value={days} onChange={event => setDays(Number(event.target.value))}>
          {choices.map(value => (
            <option key={value} value={value}>
              {trans._n('1 day', '%2 days', value, value)}
            </option>
          ))}
        </select>
      </div>
      <Check
        label={trans.__('Read only')}
        hint={trans.__('The program can read your files and change none.')}
        checked={readOnly}
        onChange={setReadOnly}
      />
    </Dialog>
  );
}

function Copied({ label, value }: { label: string; value: string }): JSX.Element {
  const { trans } = useNaas().language;
  const [copied, setCopied] = React.useState(false);
  const id = React.useId();
  return (
    <div className="jp-Naas-field">
      <label htmlFor={id}>{label}</label>
      <div className="jp-Naas-copy">
        <input id={id} readOnly value={value} onFocus={event => event.target.select()} />
        <button
          type="button"
          className="jp-Naas-button"
          aria-label={trans.__('Copy %1', label)}
          onClick={() => {
            Clipboard.copyToSystem(value);
            setCopied(true);
          }}
        >
          {copied ? trans.__('Copied') : trans.__('Copy')}
        </button>
      </div>
    </div>
  );
}

/** The secret, this once. */
function Made({ made, back }: { made: IMadeS3Key; back: () => void }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const [said, setSaid] = React.useState('');
  const copy = (text: string) => {
    Clipboard.copyToSystem(text);
    setSaid(trans.__('Copied.'));
  };
  const all = [
    { label: trans.__('for AWS tools'), file: '~/.aws/credentials', text: awsProfile(made) },
    { label: trans.__('for rclone'), file: '~/.config/rclone/rclone.conf', text: rcloneRemote(made) }
  ];
  return (
    <Dialog title={trans.__('Key for %1', made.description)} keep={trans.__('I have kept it')} onClose={back}>
      <Note kind="warn">{trans.__('The secret is shown this once. Copy it now to where it is needed.')}</Note>
      <Copied label={trans.__('Access key')} value={made.access_key_id} />
      <Copied label={trans.__('Secret key')} value={made.secret_access_key} />
      <Copied label={trans.__('Bucket')} value={made.bucket} />
      <Copied label={trans.__('Address')} value={made.endpoint} />
      <p>
        {trans.__('Or copy all of it:')}
        {all.map(({ label, file, text }) => (
          <React.Fragment key={file}>
            <br />
            <LinkButton label={label} onClick={() => copy(text)} />{' '}
            <span className="jp-Naas-fieldHint">{file}</span>
          </React.Fragment>
        ))}
      </p>
      <div className="jp-Naas-fieldHint" role="status">
        {trans.__('Ends %1.', absolute(new Date(made.expires_at), tag))} {said}
      </div>
    </Dialog>
  );
}

function Revoke({ which, back }: { which: IS3Key; back: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  return (
    <Dialog
      title={trans.__('Revoke the key for %1?', which.description)}
      keep={trans.__('Keep')}
      onClose={back}
      submit={{ label: trans.__('Revoke'), danger: true, work: () => model.keys.revoke(which.id) }}
    >
      <p>
        {trans.__(
          'The program that uses %1 can no longer read or write your files. What it has stored stays in your bucket.',
          which.access_key_id
        )}
      </p>
    </Dialog>
  );
}
