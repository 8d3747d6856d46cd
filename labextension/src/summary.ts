/**
 * What matters most now: for the status bar, the closed section, the badge and the toasts.
 */
import type { IFolder, IHealth, IStorageStatus, IUpload } from './documents';
import { count } from './formats';
import { level, percent } from './quota';
import { Look, partState } from './states';
import type { ILanguage, IWords } from './words';

/** Causes of missing folders that are nobody's failure: they are explained, not alarmed about. */
const CALM_CODES = new Set(['no-storage', 'no-folders', 'no-capability', 'no-fuse']);

export interface ISummary {
  look: Look;
  text: string;
}

export function failedUploads(status: IStorageStatus): IUpload[] {
  return status.uploads.filter(upload => upload.state === 'failed');
}

/** Files that are not saved, by cause. */
export function unsavedByCause(status: IStorageStatus): Map<string, IUpload[]> {
  const causes = new Map<string, IUpload[]>();
  for (const upload of failedUploads(status)) {
    causes.set(upload.error, [...(causes.get(upload.error) ?? []), upload]);
  }
  return causes;
}

/** Uploads on their way; the list may be cut by the agent, the total is not. */
export function pendingUploads(status: IStorageStatus): number {
  return Math.max(0, status.uploads_total - failedUploads(status).length);
}

export function lostFolders(status: IStorageStatus): IFolder[] {
  return status.folders.filter(folder => folder.state === 'down' || folder.state === 'refused');
}

/** Whether the storage as a whole is down through a failure; one folder in trouble says so in its own row. */
export function isDown(status: IStorageStatus): boolean {
  const alive = status.folders.some(({ state }) => state === 'ok' || state === 'reconnecting');
  return status.state === 'degraded' && !alive && !CALM_CODES.has(status.code);
}

/** Whether there is no storage, and that is as it should be. */
export function isWithout(status: IStorageStatus): boolean {
  return status.state === 'degraded' && CALM_CODES.has(status.code);
}

function unsaved(n: number, { trans, tag }: ILanguage): string {
  return trans._n('1 file not saved', '%2 files not saved', n, count(n, tag));
}

function uploading(n: number, { trans, tag }: ILanguage): string {
  return trans._n('1 uploading', '%2 uploading', n, count(n, tag));
}

/**
 * The most serious one of: file not saved, not connected, reconnecting, over 95 %, uploading, `Saved`. Null when this server
 * has no storage.
 */
export function summary(status: IStorageStatus, language: ILanguage): ISummary | null {
  const { trans, tag } = language;
  const failed = failedUploads(status).length;
  const pending = pendingUploads(status);
  if (failed > 0) {
    const rest = pending > 0 ? ` · ${uploading(pending, language)}` : '';
    return { look: 'bad', text: unsaved(failed, language) + rest };
  }
  if (isDown(status)) {
    return { look: 'bad', text: trans.__('Storage not connected') };
  }
  const lost = lostFolders(status);
  if (lost.some(({ state }) => state === 'down')) {
    return {
      look: 'bad',
      text: trans._n(
        '1 folder not connected',
        '%2 folders not connected',
        lost.length,
        count(lost.length, tag)
      )
    };
  }
  if (lost.length > 0) {
    return { look: 'bad', text: trans.__('Writes refused') };
  }
  if (isWithout(status)) {
    return null;
  }
  if (status.folders.some(folder => folder.state === 'reconnecting')) {
    return { look: 'busy', text: trans.__('Reconnecting') };
  }
  if (level(status.usage) >= 95) {
    return { look: 'warn', text: trans.__('Bucket %1 %% full', percent(status.usage!)) };
  }
  if (pending > 0) {
    return { look: 'busy', text: uploading(pending, language) };
  }
  return calm(status, trans);
}

function calm(status: IStorageStatus, trans: IWords): ISummary | null {
  if (status.state === 'stopped') {
    return { look: 'off', text: trans.__('Storage not in use') };
  }
  if (status.state === 'starting') {
    return { look: 'busy', text: trans.__('Connecting') };
  }
  return status.folders.length > 0 ? { look: 'ok', text: trans.__('Saved') } : null;
}

/** The status strip: how the platform's services are. */
export function services(health: IHealth, { trans, tag }: ILanguage): ISummary {
  const troubled = health.parts.filter(part => part.state !== 'ok');
  if (troubled.length === 0) {
    return health.status === 'ok'
      ? { look: 'ok', text: trans.__('All services answer') }
      : { look: 'warn', text: trans.__('Services are limited') };
  }
  const down = troubled.filter(part => partState(part.state, trans).look === 'bad').length;
  if (down > 0) {
    return {
      look: 'bad',
      text: trans._n('1 service does not answer', '%2 services do not answer', down, count(down, tag))
    };
  }
  return {
    look: 'warn',
    text: trans._n(
      '1 service is limited',
      '%2 services are limited',
      troubled.length,
      count(troubled.length, tag)
    )
  };
}
