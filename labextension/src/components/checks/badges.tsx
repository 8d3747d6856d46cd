import { Clipboard } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../../api';
import type { ICheck, ICheckBadge } from '../../documents';
import { told } from '../../words';
import { LinkButton, Note } from '../basics';
import { useNaas } from '../context';
import { Dialog } from '../dialog';

/** The badges of a check and of its tags, as Markdown for a README. */
export function Badges({ check, close }: { check: ICheck; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const [badges, setBadges] = React.useState<ICheckBadge[]>([]);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    model.checks.badges(check.project).then(
      ({ items }) => setBadges(items.filter(({ tag }) => tag === '*' || check.tags.includes(tag))),
      (error: unknown) => setProblem(asFailure(error).message)
    );
  }, []);
  const all = [
    ...(check.badge_url === '' ? [] : [{ name: check.name, svg: check.badge_url }]),
    ...badges.map(({ tag, svg }) => ({ name: tag === '*' ? trans.__('All checks') : tag, svg }))
  ];
  const markdown = ({ name, svg }: { name: string; svg: string }) =>
    `![${name.replace(/([[\]\\])/g, '\\$1')}](${svg})`;
  return (
    <Dialog title={trans.__('Badges')} keep={trans.__('Close')} onClose={close}>
      <p>{trans.__('Whoever has the address sees the state, without signing in.')}</p>
      {problem === '' ? null : <Note kind="bad">{told(problem, trans)}</Note>}
      <ul className="jp-Naas-badges">
        {all.map(badge => (
          <li key={badge.svg}>
            <img src={badge.svg} alt={badge.name} />
            <LinkButton
              label={trans.__('Copy Markdown')}
              name={trans.__('Copy Markdown of %1', badge.name)}
              onClick={() => Clipboard.copyToSystem(markdown(badge))}
            />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
