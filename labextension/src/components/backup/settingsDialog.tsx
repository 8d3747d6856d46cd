import React from 'react';

import { daysProblem, interval, nextRun, patterns, pingProblem } from '../../backup/words';
import type { IBackupStatus } from '../../documents';
import { useNaas } from '../context';
import { Check, Dialog, Field } from '../dialog';

/** Hours to choose from. */
const CHOICES = [0, 6, 12, 24, 168];

const HOUR = 3600;
/** Seconds that a backup may be late: it runs only while a server does. */
const GRACE = 7 * 24 * HOUR;

/** When the home is backed up by itself, what is left out, and who is told. */
export function BackupSettings(props: { status: IBackupStatus; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const { status, close } = props;
  const kept = status.settings;
  const [every, setEvery] = React.useState(kept.every_hours);
  const [days, setDays] = React.useState(String(kept.keep_days));
  const [exclude, setExclude] = React.useState(kept.exclude.join('\n'));
  const [ping, setPing] = React.useState(kept.ping_url);
  const [watched, setWatched] = React.useState(false);
  const project = kept.ping_url === '' ? model.checks.own : null;
  const choice = React.useRef<HTMLSelectElement>(null);
  const id = React.useId();
  const choices = Array.from(new Set([...CHOICES, kept.every_hours])).sort((a, b) => a - b);
  const problems = [daysProblem(days, trans), pingProblem(ping, trans)];
  const work = async () => {
    let address = ping;
    if (watched && project !== null) {
      const timeout = (every === 0 ? 24 : every) * HOUR;
      const fields = { name: 'backup of home', tags: ['backup'], timeout, grace: GRACE };
      address = (await model.checks.create(project.id, fields, ['name'])).ping_url;
    }
    await model.backup.change({
      every_hours: every,
      keep_days: Number(days),
      exclude: patterns(exclude),
      ping_url: address
    });
  };
  return (
    <Dialog
      title={trans.__('Backup settings')}
      keep={trans.__('Cancel')}
      onClose={close}
      first={choice}
      submit={{ label: trans.__('Save'), disabled: problems.some(problem => problem !== null), work }}
    >
      <div className="jp-Naas-field">
        <label htmlFor={`${id}-every`}>{trans.__('Back up by itself')}</label>
        <select
          ref={choice}
          id={`${id}-every`}
          value={every}
          aria-describedby={`${id}-next`}
          onChange={event => setEvery(Number(event.target.value))}
        >
          {choices.map(hours => (
            <option key={hours} value={hours}>
              {interval(hours, language)}
            </option>
          ))}
        </select>
        <div id={`${id}-next`} className="jp-Naas-fieldHint" role="status">
          {nextRun(status, every, new Date(), language)}
        </div>
      </div>
      <Field
        label={trans.__('Days that replaced and deleted files are kept')}
        value={days}
        onChange={setDays}
        problem={problems[0]}
      />
      <div className="jp-Naas-field">
        <label htmlFor={`${id}-exclude`}>{trans.__('Leave out, one pattern a line')}</label>
        <textarea
          id={`${id}-exclude`}
          value={exclude}
          rows={3}
          spellCheck={false}
          placeholder="/local/big/**"
          aria-describedby={`${id}-left`}
          onChange={event => setExclude(event.target.value)}
        />
        <div id={`${id}-left`} className="jp-Naas-fieldHint">
          {trans.__('Caches, environments, keys and cloud-storage are always left out.')}
        </div>
      </div>
      {project === null ? null : (
        <Check
          label={trans.__('Tell me when backups fail')}
          hint={trans.__(
            'A healthcheck is made for it: it goes down after a failure, or a week without a backup.'
          )}
          checked={watched}
          onChange={setWatched}
        />
      )}
      {watched ? null : (
        <Field
          label={trans.__('Address of a healthcheck (optional)')}
          value={ping}
          onChange={setPing}
          problem={problems[1]}
          hint={trans.__('It is told of start, end and failure.')}
        />
      )}
    </Dialog>
  );
}
