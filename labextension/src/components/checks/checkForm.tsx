import React from 'react';

import { tagsOf } from '../../checks/words';
import type { ICheck } from '../../documents';
import { CommandIDs } from '../../tokens';
import { useNaas } from '../context';
import { Dialog, Field } from '../dialog';
import { complete, draftOf, fieldsOf, Schedule } from './schedule';

/** Make a check, or change one. Parameters: `check`, null for a new one. */
export function CheckForm(props: { check: ICheck | null; close: () => void }): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const { check, close } = props;
  const { checks } = model;
  const projects = checks.writable;
  const [project, setProject] = React.useState(
    projects.find(({ id }) => id === checks.filter.project)?.id ?? projects[0]?.id ?? 0
  );
  const [name, setName] = React.useState(check?.name ?? '');
  const [tags, setTags] = React.useState(check?.tags.join(' ') ?? '');
  const [desc, setDesc] = React.useState(check?.desc ?? '');
  const [draft, setDraft] = React.useState(() => draftOf(check));
  const first = React.useRef<HTMLInputElement>(null);
  const id = React.useId();
  const work = async () => {
    const fields = { name: name.trim(), tags: tagsOf(tags), desc, ...fieldsOf(draft) };
    if (check !== null) {
      await checks.change(check, fields);
      return;
    }
    const made = await checks.create(project, fields);
    await commands.execute(CommandIDs.openCheck, { project, check: made.id });
  };
  return (
    <Dialog
      title={check === null ? trans.__('New healthcheck') : trans.__('Edit %1', check.name)}
      keep={trans.__('Cancel')}
      first={first}
      onClose={close}
      submit={{
        label: check === null ? trans.__('Create') : trans.__('Save'),
        disabled: name.trim() === '' || !complete(draft, trans),
        work
      }}
    >
      {check === null && projects.length > 1 ? (
        <div className="jp-Naas-field">
          <label htmlFor={`${id}-project`}>{trans.__('Project')}</label>
          <select
            id={`${id}-project`}
            value={project}
            onChange={event => setProject(Number(event.target.value))}
          >
            {projects.map(each => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        </div>
      ) : null}
      <Field ref={first} label={trans.__('Name')} value={name} problem={null} onChange={setName} />
      <Field
        label={trans.__('Tags')}
        value={tags}
        problem={null}
        hint={trans.__('Separated by spaces')}
        onChange={setTags}
      />
      <Schedule draft={draft} onChange={setDraft} />
      <Field label={trans.__('Description')} value={desc} problem={null} onChange={setDesc} />
    </Dialog>
  );
}
