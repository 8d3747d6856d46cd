/**
 * What is said of healthchecks; nothing here touches the page.
 */
import type { ICheck, ICheckPage, ICheckPing } from '../documents';
import { age, count, duration } from '../formats';
import type { IShown, Look } from '../states';
import type { ISummary } from '../summary';
import type { ILanguage, IWords } from '../words';

/** The state of a check in a word; a run under way comes before all but trouble. */
export function checkState({ status, started }: ICheck, trans: IWords): IShown {
  switch (status) {
    case 'down':
      return { look: 'bad', word: trans.__('Down') };
    case 'grace':
      return { look: 'warn', word: trans.__('Late') };
    case 'up':
      return started ? { look: 'busy', word: trans.__('Running') } : { look: 'ok', word: trans.__('Up') };
    case 'new':
      return started
        ? { look: 'busy', word: trans.__('Running') }
        : { look: 'waiting', word: trans.__('New') };
    case 'paused':
      return { look: 'off', word: trans.__('Paused') };
    default:
      return { look: 'unknown', word: trans.__('Unknown state: %1', status.replace(/^unknown: /, '')) };
  }
}

/** What stands behind the state in a row: how late, or when it is expected. */
export function checkDetail(check: ICheck, now: Date, language: ILanguage): string {
  const { trans } = language;
  const { status, next_ping, last_ping } = check;
  const late = next_ping === null ? 0 : (now.getTime() - new Date(next_ping).getTime()) / 1000;
  if (status === 'grace' && late > 0) {
    return trans.__('%1 of %2 grace', duration(minutes(late), language), duration(check.grace, language));
  }
  if (status === 'down' && late > 0) {
    return trans.__('%1 late', duration(minutes(late), language));
  }
  if (status === 'down' && last_ping !== null) {
    return trans.__('failure reported');
  }
  if (last_ping === null) {
    return trans.__('no ping yet');
  }
  return status === 'paused' ? '' : schedule(check, language);
}

/** Seconds beside minutes that pass anyway would be noise. */
function minutes(seconds: number): number {
  return seconds < 60 ? seconds : Math.floor(seconds / 60) * 60;
}

/** `every 5 min`, `30 1 * * 1-5 (Europe/Rome)`. */
export function schedule(check: ICheck, language: ILanguage): string {
  const { trans } = language;
  if (check.kind === 'simple') {
    return trans.__('every %1', duration(check.timeout ?? 0, language));
  }
  return check.tz && check.tz !== 'UTC' ? `${check.schedule} (${check.tz})` : (check.schedule ?? '');
}

/** For the closed section: the worst of all. */
export function checksSummary(page: ICheckPage, { trans, tag }: ILanguage): ISummary | null {
  const { down = 0, grace = 0 } = page.states;
  if (down > 0) {
    return { look: 'bad', text: trans._n('1 down', '%2 down', down, count(down, tag)) };
  }
  if (grace > 0) {
    return { look: 'warn', text: trans._n('1 late', '%2 late', grace, count(grace, tag)) };
  }
  const all = page.total ?? page.items.length;
  return all > 0 ? { look: 'ok', text: count(all, tag) } : null;
}

/** What a ping reported. */
export function pingState(
  { type, exit_status }: ICheckPing,
  trans: IWords
): { look: Look | 'start'; word: string } {
  switch (type) {
    case 'success':
      return { look: 'ok', word: trans.__('Success') };
    case 'start':
      return { look: 'start', word: trans.__('Start') };
    case 'fail':
      return exit_status !== null
        ? { look: 'bad', word: trans.__('Exit status %1', exit_status) }
        : { look: 'bad', word: trans.__('Failure') };
    case 'log':
      return { look: 'off', word: trans.__('Log') };
    case 'ign':
      return { look: 'off', word: trans.__('Ignored') };
    default:
      return { look: 'unknown', word: type.replace(/^unknown: /, '') };
  }
}

/** Who sent a ping, as far as the program says. */
export function sender({ user_agent, remote_addr }: ICheckPing, trans: IWords): string {
  const program = /^[^\s/]+/.exec(user_agent)?.[0] ?? '';
  switch (program) {
    case '':
      return remote_addr;
    case 'Mozilla':
      return trans.__('browser');
    default:
      return program;
  }
}

/** `last ping 9 min ago`, `next expected in 3 h`. */
export function lastAndNext(check: ICheck, now: Date, language: ILanguage): string[] {
  const { trans } = language;
  const { last_ping, next_ping, status } = check;
  const next = next_ping === null ? null : new Date(next_ping);
  return [
    last_ping === null
      ? trans.__('no ping yet')
      : trans.__('last ping %1', age(new Date(last_ping), now, language)),
    ...(next !== null && next > now && status === 'up'
      ? [
          trans.__(
            'next expected in %1',
            duration(minutes((next.getTime() - now.getTime()) / 1000), language)
          )
        ]
      : []),
    ...(check.last_duration !== null ? [trans.__('took %1', took(check.last_duration, language))] : [])
  ];
}

/** How long a run took; short ones are not "0 s". */
export function took(seconds: number, language: ILanguage): string {
  return seconds < 1 ? language.trans.__('under 1 s') : duration(seconds, language);
}

/** Units of a length of time, in seconds. */
export const UNITS = [60, 3600, 86400] as const;
export type Unit = (typeof UNITS)[number];

export function unitName(unit: Unit, trans: IWords): string {
  return { 60: trans.__('minutes'), 3600: trans.__('hours'), 86400: trans.__('days') }[unit];
}

/** Seconds as a number in the largest unit that leaves nothing over: `[5, 60]`. */
export function inUnits(seconds: number): [number, Unit] {
  const unit = [...UNITS].reverse().find(each => seconds >= each && seconds % each === 0) ?? 60;
  return [seconds / unit, unit];
}

/** What is wrong with a length of time, or null: Healthchecks takes a minute to a year. */
export function periodProblem(text: string, unit: Unit, trans: IWords): string | null {
  const seconds = Number(text.replace(',', '.')) * unit;
  return text.trim() !== '' && Number.isFinite(seconds) && seconds >= 60 && seconds <= 365 * 86400
    ? null
    : trans.__('Give a time from 1 minute to 365 days.');
}

/** Tags in a line of text. */
export function tagsOf(text: string): string[] {
  return Array.from(new Set(text.split(/[\s,]+/).filter(tag => tag !== '')));
}
