import React from 'react';

import { baseName, shown } from '../../buckets/keys';
import type { IStoredObject } from '../../documents';
import { count } from '../../formats';
import { useNaas } from '../context';
import { Dialog, Field } from '../dialog';
import { useBuckets } from './context';

/** Names listed; the rest is a number. */
const LISTED = 5;

/** Parameters: `items`, what goes, all of one bucket; `done`, called when it is gone. */
export function DeleteObjects(props: {
  items: IStoredObject[];
  done: () => void;
  close: () => void;
}): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { browser } = useBuckets();
  const { items } = props;
  const { bucket } = browser.place;
  const first = shown(baseName(items[0].key), trans);
  const n = count(items.length, tag);
  const work = async () => {
    await browser.change(browser.store.delete(bucket, items));
    props.done();
  };
  return (
    <Dialog
      title={trans._n('Delete %3?', 'Delete %2 entries?', items.length, n, first)}
      keep={trans.__('Keep')}
      onClose={props.close}
      submit={{
        label: trans._n('Delete %3', 'Delete %2 entries', items.length, n, first),
        danger: true,
        work
      }}
    >
      {items.length > 1 ? (
        <ul>
          {items.slice(0, LISTED).map(({ key }) => (
            <li key={key}>
              <bdi>{shown(baseName(key), trans)}</bdi>
              {key.endsWith('/') ? '/' : ''}
            </li>
          ))}
          {items.length > LISTED ? (
            <li>
              {trans._n(
                'and 1 more',
                'and %2 more',
                items.length - LISTED,
                count(items.length - LISTED, tag)
              )}
            </li>
          ) : null}
        </ul>
      ) : null}
      <p>
        {items.some(({ folder }) => folder)
          ? trans.__('Folders go with everything that is in them, in %1.', bucket)
          : trans._n('It is deleted from %2.', 'They are deleted from %2.', items.length, bucket)}{' '}
        <b>
          {browser.keepsVersions()
            ? trans.__('Earlier versions are kept and can be restored.')
            : trans.__('Nothing of this can be restored.')}
        </b>
      </p>
    </Dialog>
  );
}

export function DeleteBucket({ name, close }: { name: string; close: () => void }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const [typed, setTyped] = React.useState('');
  const field = React.useRef<HTMLInputElement>(null);
  return (
    <Dialog
      title={trans.__('Delete %1?', name)}
      keep={trans.__('Keep')}
      onClose={close}
      first={field}
      submit={{
        label: trans.__('Delete %1', name),
        danger: true,
        disabled: typed !== name,
        work: () => browser.removeBucket(name)
      }}
    >
      <p>
        {trans.__(
          'The bucket must be empty. Its settings and its links go with it, and its name may be taken by others.'
        )}{' '}
        <b>{trans.__('This cannot be taken back.')}</b>
      </p>
      <Field
        ref={field}
        label={trans.__('Type %1 to confirm', name)}
        value={typed}
        onChange={setTyped}
        problem={typed === name ? null : trans.__('This is not the name of the bucket.')}
      />
    </Dialog>
  );
}
