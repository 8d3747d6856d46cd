/**
 * What is said of backups; nothing here touches the page.
 */
import type { IBackupProgress, IBackupRun, IBackupStatus } from '../documents';
import { count, duration, remaining, size } from '../formats';
import { used } from '../quota';
import type { IShown } from '../states';
import type { ILanguage, IWords } from '../words';

const HOUR = 3_600_000;

/** `1,204 files, 3.2 GiB`. */
export function amount(files: number, bytes: number, { trans, tag }: ILanguage): string {
  return trans._n('1 file, %3', '%2 files, %3', files, count(files, tag), size(bytes, tag));
}

/** The most important thing to know of the backup. */
export function backupState(status: IBackupStatus, trans: IWords): IShown {
  if (status.running !== null) {
    const word = status.running.what === 'backup' ? trans.__('Backing up') : trans.__('Restoring');
    return { look: 'busy', word };
  }
  if (status.problem !== '') {
    return { look: 'bad', word: trans.__('Backup failed') };
  }
  if (status.last === null) {
    return { look: 'off', word: trans.__('No backup') };
  }
  return status.last.errors.length > 0
    ? { look: 'warn', word: trans.__('Backup is incomplete') }
    : { look: 'ok', word: trans.__('Backup') };
}

/** How far the work is, in percent; the totals grow while rclone is still looking. */
export function share({ files, files_total, bytes, bytes_total }: IBackupProgress): number {
  const [done, all] = bytes_total > 0 ? [bytes, bytes_total] : [files, files_total];
  return all > 0 ? Math.min(100, Math.floor((100 * done) / all)) : 0;
}

/** `12 of 1,204 files · 3 MiB of 3.2 GiB`. */
export function progress(now: IBackupProgress, language: ILanguage): string[] {
  const { trans, tag } = language;
  if (now.files_total === 0) {
    return [now.what === 'backup' ? trans.__('Looking for changes') : trans.__('Looking for the files')];
  }
  const files = trans._n(
    '%2 of 1 file',
    '%2 of %3 files',
    now.files_total,
    count(now.files, tag),
    count(now.files_total, tag)
  );
  return [files, used({ used_bytes: now.bytes, quota_bytes: now.bytes_total }, language)];
}

/** Whether everything was saved. */
export function result(run: IBackupRun, { trans, tag }: ILanguage): IShown {
  const { length } = run.errors;
  return length === 0
    ? { look: 'ok', word: trans.__('Complete') }
    : { look: 'warn', word: trans._n('1 problem', '%2 problems', length, count(length, tag)) };
}

/** When the next backup begins with a schedule that may not be kept yet. Parameters: `every`, hours; 0 for none. */
export function nextRun(status: IBackupStatus, every: number, now: Date, language: ILanguage): string {
  const { trans } = language;
  if (every === 0) {
    return trans.__('Only when you ask for it.');
  }
  const kept = every === status.settings.every_hours ? status.next_at : null;
  const started = status.last === null ? 0 : new Date(status.last.started_at).getTime() + every * HOUR;
  const wait = ((kept === null ? started : new Date(kept).getTime()) - now.getTime()) / 1000;
  return wait < 60
    ? trans.__('The next one begins within two minutes.')
    : trans.__('The next one begins in %1, if a server of yours runs then.', remaining(wait, language));
}

/** How often: `Every 6 h`. */
export function interval(hours: number, language: ILanguage): string {
  const { trans } = language;
  switch (hours) {
    case 0:
      return trans.__('Off');
    case 24:
      return trans.__('Every day');
    case 168:
      return trans.__('Every week');
    default:
      return trans.__('Every %1', duration(hours * 3600, language));
  }
}

/** The patterns in a text of lines. */
export function patterns(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

/** What is wrong with a number of days, or null. */
export function daysProblem(text: string, trans: IWords): string | null {
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 3650
    ? null
    : trans.__('Give a whole number from 1 to 3650.');
}

/** What is wrong with a healthcheck's address, or null. */
export function pingProblem(text: string, trans: IWords): string | null {
  return text === '' || /^https?:\/\/\S+$/.test(text)
    ? null
    : trans.__('An address starts with https:// or http:// and has no spaces.');
}

/** How a restore ended, in a sentence or two. */
export function restored(status: IBackupStatus, { trans, tag }: ILanguage): string {
  const { files, folder, replaced } = status.restored!;
  const where =
    folder === ''
      ? trans._n(
          '1 file is back in its place.',
          '%2 files are back in their places.',
          files,
          count(files, tag)
        )
      : trans._n('1 file is back in %3.', '%2 files are back in %3.', files, count(files, tag), folder);
  return replaced === '' ? where : `${where} ${trans.__('What was there is now in %1.', replaced)}`;
}

/** The folder in the file browser that a restore filled, or where it put what was there; null without one. */
export function restoredPath({ home, restored: done }: IBackupStatus): string | null {
  const folder = done?.folder || done?.replaced || '';
  if (home === null || folder === '') {
    return null;
  }
  return home === '.' ? folder : `${home}/${folder}`;
}
