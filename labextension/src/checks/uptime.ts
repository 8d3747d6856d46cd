/**
 * When a check was down, from its flips; pure.
 */
import type { ICheckFlip } from '../documents';

/** A day of a month. */
export interface IDay {
  day: number;
  /** Part of the day, of what is known of it, that the check was down: 0 to 1; null: nothing is known of it, or it is to come. */
  down: number | null;
  /** Seconds that it was down. */
  seconds: number;
}

export interface IMonth {
  /** Its first moment. */
  at: Date;
  days: IDay[];
  /** Part of the known time in percent; null when nothing is known. */
  up: number | null;
  downtimes: number;
  /** Seconds. */
  down: number;
}

interface ISpan {
  from: number;
  to: number;
  up: boolean;
}

/**
 * The months of some flips, oldest first.
 *
 * Parameters: `flips`, oldest first; `up`, whether the check is up now; `known`, since when flips are known; `months`, how many.
 */
export function uptime(
  flips: readonly ICheckFlip[],
  up: boolean,
  known: Date,
  now: Date,
  months: number
): IMonth[] {
  const spans = spansOf(flips, up, known.getTime(), now.getTime());
  return Array.from({ length: months }, (_, n) => {
    const at = new Date(now.getFullYear(), now.getMonth() - (months - 1 - n), 1);
    const end = new Date(at.getFullYear(), at.getMonth() + 1, 1);
    const length = Math.round((end.getTime() - at.getTime()) / 86_400_000);
    const days = Array.from({ length }, (__, day) => {
      const from = new Date(at.getFullYear(), at.getMonth(), day + 1).getTime();
      const to = new Date(at.getFullYear(), at.getMonth(), day + 2).getTime();
      const all = overlap(spans, from, to);
      const seen = all.up + all.down;
      return { day: day + 1, down: seen === 0 ? null : all.down / seen, seconds: all.down / 1000 };
    });
    const all = overlap(spans, at.getTime(), end.getTime());
    const seen = all.up + all.down;
    return {
      at,
      days,
      up: seen === 0 ? null : (100 * all.up) / seen,
      downtimes: all.downtimes,
      down: all.down / 1000
    };
  });
}

function spansOf(flips: readonly ICheckFlip[], up: boolean, known: number, now: number): ISpan[] {
  const changes = flips
    .map(flip => ({ at: new Date(flip.at).getTime(), up: flip.up }))
    .filter(({ at }) => at >= known && at < now);
  const spans: ISpan[] = [];
  let from = known;
  for (const change of changes) {
    spans.push({ from, to: change.at, up: !change.up });
    from = change.at;
  }
  spans.push({ from, to: now, up: changes.at(-1)?.up ?? up });
  return spans;
}

function overlap(
  spans: readonly ISpan[],
  from: number,
  to: number
): { up: number; down: number; downtimes: number } {
  const sum = { up: 0, down: 0, downtimes: 0 };
  for (const span of spans) {
    const length = Math.min(to, span.to) - Math.max(from, span.from);
    if (length > 0) {
      sum[span.up ? 'up' : 'down'] += length;
      sum.downtimes += span.up ? 0 : 1;
    }
  }
  return sum;
}
