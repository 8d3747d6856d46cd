import { Notification } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../../api';
import type { ICheckProject } from '../../documents';
import type { IEntry } from '../../menu';
import { told } from '../../words';
import { ask } from '../backup/question';
import { IContext, useNaas } from '../context';
import { Check, Dialog, Field } from '../dialog';

/** Where projects and keys are made. */
function Server({ url }: { url: string }): JSX.Element | null {
  const { trans } = useNaas().language;
  return url === '' ? null : (
    <p>
      <a className="jp-Naas-link" href={url} target="_blank" rel="noreferrer">
        {trans.__('Open the Healthchecks server')}
      </a>
    </p>
  );
}

/** Register a project by its API key. */
export function AddProject({ close }: { close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const { url = '', groups = [] } = model.checks.projects.data ?? {};
  const [name, setName] = React.useState('');
  const [key, setKey] = React.useState('');
  const [group, setGroup] = React.useState('');
  const radio = React.useId();
  const first = React.useRef<HTMLInputElement>(null);
  return (
    <Dialog
      title={trans.__('Add a project')}
      keep={trans.__('Cancel')}
      first={first}
      onClose={close}
      submit={{
        label: trans.__('Add'),
        disabled: name.trim() === '' || key.trim() === '',
        work: () => model.checks.addProject({ name: name.trim(), api_key: key.trim(), group })
      }}
    >
      <Field ref={first} label={trans.__('Name')} value={name} problem={null} onChange={setName} />
      <Field
        label={trans.__('API key')}
        value={key}
        secret
        problem={null}
        hint={trans.__(
          'From the settings of the project. It stays with the platform; a read-only key will do.'
        )}
        onChange={setKey}
      />
      <Server url={url} />
      {groups.length > 0 ? (
        <fieldset className="jp-Naas-choices">
          <legend>{trans.__('Who sees its checks')}</legend>
          {['', ...groups].map(each => (
            <Check
              key={each}
              group={radio}
              label={each === '' ? trans.__('Only me') : each}
              hint={each === '' ? '' : trans.__('All members of the group')}
              checked={group === each}
              onChange={() => setGroup(each)}
            />
          ))}
        </fieldset>
      ) : null}
    </Dialog>
  );
}

function NewKey({ project, close }: { project: ICheckProject; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const [key, setKey] = React.useState('');
  const first = React.useRef<HTMLInputElement>(null);
  return (
    <Dialog
      title={trans.__('New API key for %1', project.name)}
      keep={trans.__('Cancel')}
      first={first}
      onClose={close}
      submit={{
        label: trans.__('Save'),
        disabled: key.trim() === '',
        work: () => model.checks.changeProject(project.id, { api_key: key.trim() })
      }}
    >
      <Field ref={first} label={trans.__('API key')} value={key} secret problem={null} onChange={setKey} />
      <Server url={model.checks.projects.data?.url ?? ''} />
    </Dialog>
  );
}

function RenameProject({ project, close }: { project: ICheckProject; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const [name, setName] = React.useState(project.name);
  const first = React.useRef<HTMLInputElement>(null);
  return (
    <Dialog
      title={trans.__('Rename %1', project.name)}
      keep={trans.__('Cancel')}
      first={first}
      onClose={close}
      submit={{
        label: trans.__('Rename'),
        disabled: name.trim() === '' || name.trim() === project.name,
        work: () => model.checks.changeProject(project.id, { name: name.trim() })
      }}
    >
      <Field ref={first} label={trans.__('Name')} value={name} problem={null} onChange={setName} />
    </Dialog>
  );
}

function RemoveProject({ project, close }: { project: ICheckProject; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  return (
    <Dialog
      title={trans.__('Remove %1?', project.name)}
      keep={trans.__('Keep')}
      onClose={close}
      submit={{
        label: trans.__('Remove'),
        danger: true,
        work: () => model.checks.removeProject(project.id)
      }}
    >
      <p>
        {trans.__('The platform forgets its key. Its checks stay on the Healthchecks server, and go on.')}
      </p>
    </Dialog>
  );
}

/** What can be done to a project. */
export function projectEntries(context: IContext, project: ICheckProject): (IEntry & { id: string })[] {
  const { trans } = context.language;
  const { checks } = context.model;
  const dialog = (draw: (props: { project: ICheckProject; close: () => void }) => JSX.Element) => () =>
    ask(context, close => React.createElement(draw, { project, close }));
  const { manageable, provisioned, name, notify } = project;
  return [
    {
      id: 'notify',
      label: notify ? trans.__('Stop telling me about %1', name) : trans.__('Tell me about %1', name),
      execute: () =>
        void checks.changeProject(project.id, { notify: !notify }).catch((error: unknown) => {
          Notification.error(told(asFailure(error).message, trans), { autoClose: false });
        })
    },
    {
      id: 'rename',
      label: trans.__('Rename %1…', name),
      enabled: manageable,
      execute: dialog(RenameProject)
    },
    {
      id: 'key',
      label: trans.__('Paste a new key…'),
      enabled: manageable && !provisioned,
      execute: dialog(NewKey)
    },
    {
      id: 'remove',
      label: trans.__('Remove %1…', name),
      enabled: manageable && !provisioned,
      execute: dialog(RemoveProject)
    }
  ];
}
