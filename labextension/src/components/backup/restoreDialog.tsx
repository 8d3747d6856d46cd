import React from 'react';

import { amount } from '../../backup/words';
import { baseName, shown } from '../../buckets/keys';
import type { IBackupRun } from '../../documents';
import { count, moment } from '../../formats';
import { useNaas } from '../context';
import { Check, Dialog } from '../dialog';

/** Names that a question lists. */
const MOST = 5;

/** Where files of a backup are to go. Parameters: `keys`, files and folders (with their slash); empty for all. */
export function Restore(props: {
  run: IBackupRun;
  keys: readonly string[];
  done: () => void;
  close: () => void;
}): JSX.Element {
  const { language, model } = useNaas();
  const { trans, tag } = language;
  const { run, keys, done, close } = props;
  const [inPlace, setInPlace] = React.useState(false);
  const group = React.useId();
  const when = moment(new Date(run.started_at), new Date(), tag);
  const number = count(keys.length, tag);
  const work = async () => {
    const paths = keys.map(key => key.replace(/\/$/, ''));
    await model.backup.restore(run.id, paths, inPlace);
    done();
  };
  return (
    <Dialog
      title={
        keys.length === 0
          ? trans.__('Restore everything as it was on %1?', when)
          : trans._n(
              'Restore %3 as it was on %4?',
              'Restore %2 entries as they were on %4?',
              keys.length,
              number,
              shown(baseName(keys[0]), trans),
              when
            )
      }
      keep={trans.__('Cancel')}
      onClose={close}
      submit={{
        label:
          keys.length === 0
            ? trans.__('Restore everything')
            : trans._n('Restore 1 entry', 'Restore %2 entries', keys.length, number),
        work
      }}
    >
      {keys.length === 0 ? <p>{amount(run.files, run.bytes, language)}</p> : null}
      {keys.length > 1 ? (
        <ul>
          {keys.slice(0, MOST).map(key => (
            <li key={key}>
              <bdi>{shown(key, trans)}</bdi>
            </li>
          ))}
          {keys.length > MOST ? (
            <li>
              {trans._n('and 1 more', 'and %2 more', keys.length - MOST, count(keys.length - MOST, tag))}
            </li>
          ) : null}
        </ul>
      ) : null}
      <fieldset className="jp-Naas-choices">
        <legend>{trans.__('Where to')}</legend>
        <Check
          group={group}
          label={trans.__('Into a new folder')}
          hint={trans.__('It is made in local and called restored-… Nothing that you have is changed.')}
          checked={!inPlace}
          onChange={() => setInPlace(false)}
        />
        <Check
          group={group}
          label={trans.__('Where they came from')}
          hint={trans.__(
            'What is there now moves to a new folder in local, called replaced-… Nothing is lost.'
          )}
          checked={inPlace}
          onChange={() => setInPlace(true)}
        />
      </fieldset>
    </Dialog>
  );
}
