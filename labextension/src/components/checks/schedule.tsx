import React from 'react';

import { asFailure } from '../../api';
import { inUnits, periodProblem, Unit, unitName, UNITS } from '../../checks/words';
import type { CheckKind, ICheck, ICheckFields, ISchedulePreview } from '../../documents';
import { clock, duration } from '../../formats';
import { IWords, told } from '../../words';
import { useNaas } from '../context';

/** Milliseconds without a key after which the next runs are asked for. */
const PAUSE = 300;

/** A schedule while it is being edited: numbers are what was typed. */
export interface IDraft {
  kind: CheckKind;
  every: string;
  everyUnit: Unit;
  schedule: string;
  tz: string;
  grace: string;
  graceUnit: Unit;
}

export function draftOf(check: ICheck | null): IDraft {
  const [every, everyUnit] = inUnits(check?.timeout ?? 86400);
  const [grace, graceUnit] = inUnits(check?.grace ?? 3600);
  return {
    kind: check?.kind ?? 'simple',
    every: String(every),
    everyUnit,
    schedule: check?.schedule ?? '',
    tz: check?.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    grace: String(grace),
    graceUnit
  };
}

const seconds = (text: string, unit: Unit) => Math.round(Number(text.replace(',', '.')) * unit);

/** Whether a draft can be sent; the server has the last word on an expression. */
export function complete(draft: IDraft, trans: IWords): boolean {
  const timed =
    draft.kind === 'simple'
      ? periodProblem(draft.every, draft.everyUnit, trans) === null
      : draft.schedule.trim() !== '';
  return timed && periodProblem(draft.grace, draft.graceUnit, trans) === null;
}

/** The fields of a draft that is complete. */
export function fieldsOf(draft: IDraft): ICheckFields {
  const grace = seconds(draft.grace, draft.graceUnit);
  return draft.kind === 'simple'
    ? { timeout: seconds(draft.every, draft.everyUnit), grace }
    : { schedule: draft.schedule.trim(), tz: draft.tz, grace };
}

function kindName(kind: CheckKind, trans: IWords): string {
  return { simple: trans.__('Simple'), cron: 'Cron', oncalendar: 'OnCalendar' }[kind];
}

/** A number and its unit. */
function Period(props: {
  label: string;
  text: string;
  unit: Unit;
  onChange: (text: string, unit: Unit) => void;
}): JSX.Element {
  const { trans } = useNaas().language;
  const { label, text, unit, onChange } = props;
  const id = React.useId();
  const problem = periodProblem(text, unit, trans);
  return (
    <div className="jp-Naas-field">
      <label htmlFor={id}>{label}</label>
      <div className="jp-Naas-period">
        <div className={`jp-Naas-input ${problem ? 'jp-mod-wrong' : ''}`}>
          <input
            id={id}
            inputMode="decimal"
            autoComplete="off"
            value={text}
            aria-invalid={problem !== null}
            aria-describedby={`${id}-below`}
            onChange={event => onChange(event.target.value, unit)}
          />
        </div>
        <select
          aria-label={trans.__('Unit of %1', label)}
          value={unit}
          onChange={event => onChange(text, Number(event.target.value) as Unit)}
        >
          {UNITS.map(each => (
            <option key={each} value={each}>
              {unitName(each, trans)}
            </option>
          ))}
        </select>
      </div>
      <div id={`${id}-below`} className={problem ? 'jp-Naas-problem' : 'jp-Naas-fieldHint'}>
        {problem}
      </div>
    </div>
  );
}

/** What an expression means: in words, and the next runs; or what is wrong with it. */
function Preview({ draft }: { draft: IDraft }): JSX.Element | null {
  const { language, model } = useNaas();
  const { trans, tag } = language;
  const { kind, schedule, tz } = draft;
  const [preview, setPreview] = React.useState<ISchedulePreview | null>(null);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    if (kind === 'simple' || schedule.trim() === '') {
      setPreview(null);
      setProblem('');
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      model.checks.preview(kind, schedule.trim(), tz, abort.signal).then(
        found => {
          setPreview(found);
          setProblem('');
        },
        (error: unknown) => {
          if (!abort.signal.aborted) {
            setPreview(null);
            setProblem(asFailure(error).message);
          }
        }
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [kind, schedule, tz]);
  if (problem !== '') {
    return (
      <p className="jp-Naas-problem" role="alert">
        {told(problem, trans)}
      </p>
    );
  }
  if (preview === null) {
    return null;
  }
  const day = new Intl.DateTimeFormat(tag, { weekday: 'short', day: 'numeric', month: 'short' });
  const now = Date.now();
  return (
    <div className="jp-Naas-preview" aria-live="polite">
      {preview.text === '' || !tag.startsWith('en') ? null : (
        <p className="jp-Naas-fieldHint">{preview.text}</p>
      )}
      <h4>{trans.__('Next runs')}</h4>
      <table>
        <tbody>
          {preview.runs.map(run => {
            const at = new Date(run);
            return (
              <tr key={run}>
                <td>{day.format(at)}</td>
                <td>{clock(at, tag)}</td>
                <td className="jp-Naas-detail">
                  {trans.__('in %1', duration(Math.floor((at.getTime() - now) / 60_000) * 60, language))}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter(zone => zone !== 'UTC')];

/** How often a check expects its ping. */
export function Schedule(props: { draft: IDraft; onChange: (draft: IDraft) => void }): JSX.Element {
  const { trans } = useNaas().language;
  const { draft, onChange } = props;
  const id = React.useId();
  const change = (part: Partial<IDraft>) => onChange({ ...draft, ...part });
  const zones = ZONES.includes(draft.tz) ? ZONES : [draft.tz, ...ZONES];
  return (
    <>
      <div className="jp-Naas-kinds" role="radiogroup" aria-label={trans.__('Schedule')}>
        {(['simple', 'cron', 'oncalendar'] as const).map(kind => (
          <label key={kind} className={draft.kind === kind ? 'jp-mod-chosen' : ''}>
            <input
              type="radio"
              name={`${id}-kind`}
              checked={draft.kind === kind}
              onChange={() => change({ kind })}
            />
            {kindName(kind, trans)}
          </label>
        ))}
      </div>
      {draft.kind === 'simple' ? (
        <Period
          label={trans.__('Every')}
          text={draft.every}
          unit={draft.everyUnit}
          onChange={(every, everyUnit) => change({ every, everyUnit })}
        />
      ) : (
        <>
          <div className="jp-Naas-field">
            <label htmlFor={`${id}-expression`}>{trans.__('Expression')}</label>
            <div className="jp-Naas-input">
              <input
                id={`${id}-expression`}
                className="jp-Naas-code"
                value={draft.schedule}
                maxLength={100}
                spellCheck={false}
                autoComplete="off"
                placeholder={draft.kind === 'cron' ? '30 1 * * 1-5' : 'Mon..Fri *-*-* 01:30'}
                onChange={event => change({ schedule: event.target.value })}
              />
            </div>
          </div>
          <div className="jp-Naas-field">
            <label htmlFor={`${id}-zone`}>{trans.__('Time zone')}</label>
            <select id={`${id}-zone`} value={draft.tz} onChange={event => change({ tz: event.target.value })}>
              {zones.map(zone => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          </div>
        </>
      )}
      <Period
        label={trans.__('Grace')}
        text={draft.grace}
        unit={draft.graceUnit}
        onChange={(grace, graceUnit) => change({ grace, graceUnit })}
      />
      <Preview draft={draft} />
    </>
  );
}
