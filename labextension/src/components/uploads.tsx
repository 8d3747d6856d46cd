import React from 'react';

import type { IStorageStatus, IUpload } from '../documents';
import { count, size } from '../formats';
import { StateIcon } from '../icons';
import { uploadState } from '../states';
import { unsavedByCause } from '../summary';
import { CommandIDs } from '../tokens';
import { told } from '../words';
import { LinkButton, Name, Note } from './basics';
import { useNaas } from './context';

/** Rows shown; the rest is a number. */
const MOST = 5;
/** Names of unsaved files in a note. */
const NAMED = 3;

function base(name: string): string {
  return name.split('/').pop() || name;
}

function Row({ upload }: { upload: IUpload }): JSX.Element {
  const { trans, tag } = useNaas().language;
  const { look, word } = uploadState(upload.state, trans);
  return (
    <li className="jp-Naas-row" title={`${upload.folder}/${upload.name}`} data-upload={upload.name}>
      <StateIcon look={look} />
      <div className="jp-Naas-title">
        <Name text={base(upload.name)} />
      </div>
      <div className="jp-Naas-side">
        <span className="jp-Naas-wide">{size(upload.size, tag)},&nbsp;</span>
        {word.toLocaleLowerCase(tag)}
      </div>
    </li>
  );
}

/** Files that did not reach the store for one cause. */
function UnsavedNote({ error, failed }: { error: string; failed: IUpload[] }): JSX.Element {
  const { commands, language } = useNaas();
  const { trans, tag } = language;
  const [first] = failed;
  const open = { name: first.folder, file: first.name };
  return (
    <Note
      kind="bad"
      actions={
        <>
          <LinkButton
            label={trans.__('Retry')}
            name={trans._n(
              'Retry upload of %3',
              'Retry %2 uploads',
              failed.length,
              count(failed.length, tag),
              base(first.name)
            )}
            onClick={() => commands.execute(CommandIDs.retryUploads)}
          />
          {commands.isEnabled(CommandIDs.openFolder, open) ? (
            <LinkButton
              label={trans.__('Show in the file browser')}
              onClick={() => void commands.execute(CommandIDs.openFolder, open)}
            />
          ) : null}
        </>
      }
    >
      <b>
        {trans._n(
          '%3 is not saved to the bucket.',
          '%2 files are not saved to the bucket.',
          failed.length,
          count(failed.length, tag),
          base(first.name)
        )}
      </b>{' '}
      {failed.length > 1 ? <span>{named(failed, tag)} </span> : null}
      {error ? `${told(error, trans)} ` : ''}
      {trans._n('Your file is kept on this server.', 'Your files are kept on this server.', failed.length)}
    </Note>
  );
}

/** Names of the first files: `a.h5, b.h5, c.h5, …`. */
function named(failed: IUpload[], tag: string): string {
  const names = failed.slice(0, NAMED).map(({ name }) => base(name));
  return failed.length > NAMED
    ? `${names.join(', ')}, …`
    : `${new Intl.ListFormat(tag, { type: 'unit' }).format(names)}.`;
}

/** Files that did not reach the store: said first, one note a cause, and never only by a colour. */
export function UnsavedNotes({ status }: { status: IStorageStatus }): JSX.Element {
  return (
    <>
      {Array.from(unsavedByCause(status), ([error, failed]) => (
        <UnsavedNote key={error} error={error} failed={failed} />
      ))}
    </>
  );
}

/** Uploads on their way, running ones first as the agent lists them. */
export function Uploads({ status }: { status: IStorageStatus }): JSX.Element | null {
  const { trans, tag } = useNaas().language;
  const shown = status.uploads.slice(0, MOST);
  const more = status.uploads_total - shown.length;
  if (status.uploads_total === 0) {
    return null;
  }
  return (
    <>
      <h3 className="jp-Naas-heading">
        {trans.__('Uploads')}
        <span className="jp-Naas-headingSide">
          {trans.__('%1 left · %2', count(status.uploads_total, tag), size(status.bytes_pending, tag))}
        </span>
      </h3>
      <ul className="jp-Naas-list">
        {shown.map(upload => (
          <Row key={`${upload.folder}/${upload.name}`} upload={upload} />
        ))}
      </ul>
      {more > 0 ? (
        <p className="jp-Naas-hint">{trans._n('and 1 more', 'and %2 more', more, count(more, tag))}</p>
      ) : null}
    </>
  );
}
