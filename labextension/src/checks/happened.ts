/**
 * What happened to a check, in one list; pure.
 */
import type { ICheckFlip, ICheckPing } from '../documents';
import type { ICheckHistory } from './model';

export type Happened = { at: Date; ping: ICheckPing } | { at: Date; flip: ICheckFlip; lasted: number | null };

/** Pings and changes of state, newest first. Parameters: `history`, whose flips are oldest first. */
export function happened({ pings, flips, next }: ICheckHistory): Happened[] {
  const rows: Happened[] = pings.map(ping => ({ at: new Date(ping.at), ping }));
  const oldest = next !== null && pings.length > 0 ? new Date(pings[pings.length - 1].at) : null;
  // The newest first, so that of several in one second the last stands above.
  [...flips.entries()].reverse().forEach(([n, flip]) => {
    const at = new Date(flip.at);
    if (oldest === null || at >= oldest) {
      const before = n > 0 ? new Date(flips[n - 1].at) : null;
      rows.push({ at, flip, lasted: before === null ? null : (at.getTime() - before.getTime()) / 1000 });
    }
  });
  // Changes are told to the second: one stands above the pings of its second, which made it.
  const order = (row: Happened) => ('flip' in row ? row.at.getTime() + 999 : row.at.getTime());
  return rows.sort((a, b) => order(b) - order(a));
}
