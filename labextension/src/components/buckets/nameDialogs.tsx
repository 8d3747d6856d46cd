import React from 'react';

import { baseName, bucketProblem, nameProblem, parentOf, shown } from '../../buckets/keys';
import type { IStoredObject } from '../../documents';
import { useNaas } from '../context';
import { Check, Dialog, Field } from '../dialog';
import { useBuckets } from './context';

interface IClose {
  close: () => void;
}

export function NewFolder({ close }: IClose): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const { bucket, prefix } = browser.place;
  const [name, setName] = React.useState('');
  const field = React.useRef<HTMLInputElement>(null);
  const problem = nameProblem(name, prefix, trans);
  return (
    <Dialog
      title={trans.__('New folder')}
      keep={trans.__('Cancel')}
      onClose={close}
      first={field}
      submit={{
        label: trans.__('Make folder'),
        disabled: problem !== null,
        work: () => browser.change(browser.store.makeFolder(bucket, `${prefix}${name}/`))
      }}
    >
      <Field ref={field} label={trans.__('Name')} value={name} onChange={setName} problem={problem} />
    </Dialog>
  );
}

export function Rename({ item, close }: IClose & { item: IStoredObject }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const { bucket } = browser.place;
  const old = baseName(item.key);
  const folder = parentOf(item.key);
  const [name, setName] = React.useState(old);
  const field = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => {
    const end = item.folder ? -1 : old.lastIndexOf('.');
    field.current?.setSelectionRange(0, end > 0 ? end : old.length);
  }, []);
  const problem = nameProblem(name, folder, trans);
  const target = `${folder}${name}${item.folder ? '/' : ''}`;
  const work = async () => {
    await browser.change(browser.store.rename(bucket, item.key, target));
  };
  return (
    <Dialog
      title={trans.__('Rename %1', shown(old, trans))}
      keep={trans.__('Cancel')}
      onClose={close}
      first={field}
      submit={{ label: trans.__('Rename'), disabled: problem !== null || name === old, work }}
    >
      <Field ref={field} label={trans.__('New name')} value={name} onChange={setName} problem={problem} />
      <p>
        {item.folder
          ? trans.__(
              'The store copies every file of the folder and then deletes the old one. A large folder takes a while.'
            )
          : trans.__('The store copies the file and then deletes the old one. Links to the old name end.')}
      </p>
    </Dialog>
  );
}

/** The name of a bucket that a person makes starts with their own name and two hyphens, which no name has. */
export function NewBucket({ user, close }: IClose & { user: string }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const [name, setName] = React.useState('');
  const [versioning, setVersioning] = React.useState(false);
  const [lock, setLock] = React.useState(false);
  const field = React.useRef<HTMLInputElement>(null);
  const prefix = `${user}--`;
  const problem = bucketProblem(prefix, name, trans);
  const bucket = { name: prefix + name, versioning: versioning || lock, object_lock: lock };
  const work = async () => {
    await browser.store.create(bucket);
    browser.open({ bucket: bucket.name, prefix: '' });
  };
  return (
    <Dialog
      title={trans.__('New bucket')}
      keep={trans.__('Cancel')}
      onClose={close}
      first={field}
      submit={{ label: trans.__('Make bucket'), disabled: problem !== null, work }}
    >
      <Field
        ref={field}
        label={trans.__('Name')}
        before={prefix}
        value={name}
        onChange={setName}
        problem={problem}
        hint={trans.__('Your buckets start with your name. A bucket cannot be renamed.')}
      />
      <Check
        label={trans.__('Keep earlier versions')}
        hint={trans.__('Overwritten and deleted files can be restored. They go on using your space.')}
        checked={versioning || lock}
        disabled={lock}
        onChange={setVersioning}
      />
      <Check
        label={trans.__('Allow locks')}
        hint={trans.__(
          'Programs may lock a version until a date; until then nobody can delete it, you neither. Only possible now, and earlier versions are kept.'
        )}
        checked={lock}
        onChange={setLock}
      />
    </Dialog>
  );
}
