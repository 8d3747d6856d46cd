/**
 * Sizes, ages, durations and counts as people read them; nothing here touches the page.
 */
import type { ILanguage } from './words';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A size in binary units with three digits: `62.4 GiB`. */
export function size(bytes: number, tag: string): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return `${new Intl.NumberFormat(tag, digits).format(value)} ${UNITS[unit]}`;
}

/** A number of things: `2,014`, in Italian `2.014`. */
export function count(n: number, tag: string): string {
  return new Intl.NumberFormat(tag, { useGrouping: 'always' }).format(n);
}

/** `2 min 14 s`; at most two parts, the larger ones. */
export function duration(seconds: number, { trans }: ILanguage): string {
  const total = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(total / 86400), trans.__('d')],
    [Math.floor(total / 3600) % 24, trans.__('h')],
    [Math.floor(total / 60) % 60, trans.__('min')],
    [total % 60, trans.__('s')]
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) {
    return `0 ${trans.__('s')}`;
  }
  // Seconds beside hours would be noise: only neighbours are joined.
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** What is left of a time, in one unit: `38 min`. */
export function remaining(seconds: number, language: ILanguage): string {
  const total = Math.max(0, seconds);
  return duration(total < 60 ? total : Math.floor(total / 60) * 60, language);
}

/** 24-hour clock of the browser's zone: `14:21`. */
export function clock(at: Date, tag: string): string {
  return new Intl.DateTimeFormat(tag, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
}

/** Day and time where several things of a day are told apart: `5 Nov, 18:02`, of another year `5 Nov 2025, 18:02`. */
export function moment(at: Date, now: Date, tag: string): string {
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  const day = new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', year }).format(at);
  return `${day}, ${clock(at, tag)}`;
}

/** For tooltips: date, time with seconds, zone. */
export function absolute(at: Date, tag: string): string {
  return new Intl.DateTimeFormat(tag, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short'
  }).format(at);
}

/** A day: `5 Dec 2026`. */
export function date(at: Date, tag: string): string {
  return new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', year: 'numeric' }).format(at);
}

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** `6 s ago`, `4 min ago`, `3 h ago`, `yesterday 18:02`, then `5 Nov`, of another year `5 Nov 2025`. */
export function age(at: Date, now: Date, { trans, tag }: ILanguage): string {
  const passed = Math.max(0, now.getTime() - at.getTime()); // a clock that is ahead must not show "-2 s ago"
  if (passed < MINUTE) {
    return trans.__('%1 s ago', Math.floor(passed / SECOND));
  }
  if (passed < HOUR) {
    return trans.__('%1 min ago', Math.floor(passed / MINUTE));
  }
  // Rounded, because a day with a change of the clock has 23 or 25 hours.
  const days = Math.round((midnight(now) - midnight(at)) / DAY);
  if (days === 0) {
    return trans.__('%1 h ago', Math.floor(passed / HOUR));
  }
  if (days === 1) {
    return trans.__('yesterday %1', clock(at, tag));
  }
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', year }).format(at);
}

/** A long name in two parts, so that its telling end stays visible when the start is cut. */
export function split(name: string, end = 10): [string, string] {
  const characters = Array.from(name);
  return characters.length <= 2 * end
    ? [name, '']
    : [characters.slice(0, -end).join(''), characters.slice(-end).join('')];
}
