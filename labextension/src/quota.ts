/**
 * How full one's own bucket is, and when to speak of it.
 */
import type { IFolder, IStorageStatus, IUsage } from './documents';
import { size } from './formats';
import type { IShown } from './states';
import type { ILanguage, IWords } from './words';

/** Shares of the quota, in percent, at which people are warned; 0 is none. */
export type Level = 0 | 80 | 95 | 100;

/** Used percent; null when no limit is known. */
export function percent({ used_bytes, quota_bytes }: IUsage): number | null {
  if (quota_bytes === null) {
    return null;
  }
  return quota_bytes > 0 ? Math.floor((100 * used_bytes) / quota_bytes) : 100;
}

export function level(usage: IUsage | null): Level {
  const share = usage === null ? null : percent(usage);
  if (share === null || share < 80) {
    return 0;
  }
  return share >= 100 ? 100 : share >= 95 ? 95 : 80;
}

/** `62.4 of 200 GiB`, or `62.4 GiB` without a limit. */
export function used(
  { used_bytes, quota_bytes }: Pick<IUsage, 'used_bytes' | 'quota_bytes'>,
  { trans, tag }: ILanguage
): string {
  const amount = size(used_bytes, tag);
  if (quota_bytes === null) {
    return amount;
  }
  const limit = size(quota_bytes, tag);
  const [number, unit] = amount.split(' ');
  return trans.__('%1 of %2', limit.endsWith(` ${unit}`) ? number : amount, limit);
}

/** The folder that is one's own bucket: the first one that may be written to. */
export function ownFolder(status: IStorageStatus): IFolder | null {
  return status.folders.find(folder => !folder.read_only) ?? null;
}

export function levelState(reached: Exclude<Level, 0>, trans: IWords): IShown {
  switch (reached) {
    case 80:
      return { look: 'warn', word: trans.__('Over 80 %%') };
    case 95:
      return { look: 'warn', word: trans.__('Over 95 %%') };
    case 100:
      return { look: 'warn', word: trans.__('Full') };
  }
}
