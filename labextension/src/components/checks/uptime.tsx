import React from 'react';

import { IMonth, uptime } from '../../checks/uptime';
import type { ICheck, ICheckFlip } from '../../documents';
import { count, date, duration } from '../../formats';
import type { ILanguage } from '../../words';
import { useNaas } from '../context';

/** Months that are shown; Healthchecks is asked for as many days. */
const MONTHS = 3;
const KNOWN_DAYS = 92;

function total({ up, downtimes, down }: IMonth, language: ILanguage): string {
  const { trans, tag } = language;
  if (up === null) {
    return '';
  }
  return downtimes === 0
    ? trans.__('no downtime')
    : trans._n(
        '1 downtime, %3',
        '%2 downtimes, %3',
        downtimes,
        count(downtimes, tag),
        duration(down, language)
      );
}

/** A bar a day: green, red from below for the part of it that the check was down, empty where nothing is known. */
function Bars({ month }: { month: IMonth }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  return (
    <span className="jp-Naas-days" aria-hidden="true">
      {month.days.map(({ day, down, seconds }) => {
        const at = date(new Date(month.at.getFullYear(), month.at.getMonth(), day), tag);
        const part = duration(seconds, language);
        const said =
          down === null ? at : down === 0 ? trans.__('%1: up', at) : trans.__('%1: down for %2', at, part);
        return (
          <i
            key={day}
            className={down === null ? 'jp-mod-none' : ''}
            title={said}
            style={
              down
                ? ({ '--naas-down': `${Math.max(12, Math.round(100 * down))}%` } as React.CSSProperties)
                : undefined
            }
          />
        );
      })}
    </span>
  );
}

/** When the check was down in the last months. */
export function Uptime({
  check,
  flips,
  now
}: {
  check: ICheck;
  flips: ICheckFlip[];
  now: Date;
}): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const day = now.toDateString();
  const months = React.useMemo(() => {
    const asked = now.getTime() - KNOWN_DAYS * 86_400_000;
    const [first] = flips;
    // A first change to up may be the first ping of all: what was before it is not known.
    const known = first?.up ? new Date(first.at).getTime() : check.last_ping === null ? now.getTime() : asked;
    return uptime(flips, check.status !== 'down', new Date(known), now, MONTHS);
  }, [flips, check.status, check.last_ping, day]);
  const name = new Intl.DateTimeFormat(tag, { month: 'long' });
  const percent = new Intl.NumberFormat(tag, { maximumFractionDigits: 1 });
  return (
    <section className="jp-Naas-uptime" aria-label={trans.__('Uptime')}>
      <h3>{trans.__('Uptime')}</h3>
      {months.map(month => (
        <div key={month.at.getTime()} className="jp-Naas-month" data-testid="naas-month">
          <span className="jp-Naas-monthName">{name.format(month.at)}</span>
          <Bars month={month} />
          <b>{month.up === null ? '–' : `${percent.format(month.up)} %`}</b>
          <span className="jp-Naas-detail">{total(month, language)}</span>
        </div>
      ))}
    </section>
  );
}
