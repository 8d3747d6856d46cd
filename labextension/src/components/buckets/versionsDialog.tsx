import { downloadIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { asFailure } from '../../api';
import { baseName, shown } from '../../buckets/keys';
import { save } from '../../buckets/download';
import type { IStoredObject } from '../../documents';
import { absolute, size } from '../../formats';
import { Resource } from '../../resource';
import { told } from '../../words';
import { IconButton, LinkButton, Note } from '../basics';
import { useNaas } from '../context';
import { Dialog, Field } from '../dialog';
import { Loading } from '../states';
import { useBuckets } from './context';

/** The versions of a file, newest first, each to be taken back. */
export function Versions({ objectKey, close }: { objectKey: string; close: () => void }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { browser } = useBuckets();
  const { bucket } = browser.place;
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  const [versions] = React.useState(() => new Resource<IStoredObject[]>());
  const load = async () => {
    try {
      versions.received(await browser.store.versions(bucket, objectKey));
    } catch (error) {
      versions.failed(asFailure(error));
    }
    draw();
  };
  React.useEffect(() => void load(), []);
  const restore = async ({ version }: IStoredObject) => {
    try {
      await browser.change(browser.store.restore(bucket, objectKey, version!));
      await load();
    } catch (error) {
      versions.failed(asFailure(error));
      draw();
    }
  };
  const view = versions.view(Infinity);
  const name = shown(baseName(objectKey), trans);
  return (
    <Dialog title={trans.__('Versions of %1', name)} keep={trans.__('Close')} onClose={close}>
      {view.kind === 'loading' ? (
        <Loading seconds={0} what={waited => trans.__('Still asking the store, %1', waited)} />
      ) : view.failure !== null ? (
        <Note kind="bad">{told(view.failure.message, trans)}</Note>
      ) : null}
      {view.kind === 'data' && view.data.length === 0 ? (
        <p>{trans.__('The store keeps no version of a file with this name.')}</p>
      ) : null}
      {view.kind === 'data' && view.data.length > 0 ? (
        <ul className="jp-Naas-versions">
          {view.data.map(item => (
            <li key={item.version}>
              <span>
                {item.modified_at ? absolute(new Date(item.modified_at), tag) : '–'}
                <span className="jp-Naas-detail">
                  {item.deleted ? trans.__('Deleted here') : size(item.size, tag)}
                  {item.latest ? ` · ${trans.__('now')}` : ''}
                </span>
              </span>
              {item.deleted ? null : (
                <IconButton
                  icon={downloadIcon}
                  name={trans.__('Download this version of %1', name)}
                  onClick={() => save(browser.store.downloadUrl(bucket, objectKey, item.version))}
                />
              )}
              {item.deleted || item.latest ? null : (
                <LinkButton label={trans.__('Restore')} onClick={() => restore(item)} />
              )}
            </li>
          ))}
        </ul>
      ) : null}
    </Dialog>
  );
}

/** A deleted file is in no list any more: its name finds its versions. */
export function Undelete(props: { close: () => void; found: (key: string) => void }): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const [name, setName] = React.useState('');
  const field = React.useRef<HTMLInputElement>(null);
  const work = () => props.found(browser.place.prefix + name);
  return (
    <Dialog
      title={trans.__('Restore a deleted file')}
      keep={trans.__('Cancel')}
      onClose={props.close}
      first={field}
      submit={{ label: trans.__('Show versions'), disabled: name === '', work }}
    >
      <Field
        ref={field}
        label={trans.__('Name of the file in this folder')}
        value={name}
        onChange={setName}
        problem={null}
      />
    </Dialog>
  );
}
