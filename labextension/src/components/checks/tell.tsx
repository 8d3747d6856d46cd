import React from 'react';

import { asFailure } from '../../api';
import type { ICheck, ICheckChannel } from '../../documents';
import { told } from '../../words';
import { useNaas } from '../context';
import { Check, Dialog } from '../dialog';
import { Note } from '../basics';

/** The integrations of a project, asked for once it is shown. */
export function useChannels(project: number): { channels: ICheckChannel[] | null; problem: string } {
  const { model } = useNaas();
  const [state, setState] = React.useState<{ channels: ICheckChannel[] | null; problem: string }>({
    channels: null,
    problem: ''
  });
  React.useEffect(() => {
    let current = true;
    setState({ channels: null, problem: '' });
    model.checks.channels(project).then(
      ({ items }) => current && setState({ channels: items, problem: '' }),
      (error: unknown) => current && setState({ channels: null, problem: asFailure(error).message })
    );
    return () => {
      current = false;
    };
  }, [project]);
  return state;
}

/** What a channel is called; one without a name, by its kind. */
export function channelName({ name, kind }: ICheckChannel): string {
  return name === '' ? kind : name;
}

/** Choose who is told when a check goes down or comes up. */
export function Tell({ check, close }: { check: ICheck; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const { channels, problem } = useChannels(check.project);
  const [chosen, setChosen] = React.useState<ReadonlySet<string>>(new Set(check.channels));
  const { url = '' } = model.checks.projects.data ?? {};
  return (
    <Dialog
      title={trans.__('Who is told about %1', check.name)}
      keep={trans.__('Cancel')}
      onClose={close}
      submit={{
        label: trans.__('Save'),
        disabled: channels === null,
        work: () => model.checks.change(check, { channels: Array.from(chosen) })
      }}
    >
      {problem === '' ? null : <Note kind="bad">{told(problem, trans)}</Note>}
      {channels?.map(channel => (
        <Check
          key={channel.id}
          label={channelName(channel)}
          hint={channel.kind}
          checked={chosen.has(channel.id)}
          onChange={on => {
            const now = new Set(chosen);
            on ? now.add(channel.id) : now.delete(channel.id);
            setChosen(now);
          }}
        />
      ))}
      {channels?.length === 0 ? <p>{trans.__('This project has no integrations yet.')}</p> : null}
      {url === '' ? null : (
        <p>
          <a className="jp-Naas-link" href={url} target="_blank" rel="noreferrer">
            {trans.__('Make integrations on the Healthchecks server')}
          </a>
        </p>
      )}
    </Dialog>
  );
}
