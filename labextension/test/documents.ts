import type { FolderState, IFolder, IHealth, IPart, IStorageStatus, IUpload, IUsage } from '../src/documents';

export function folder(name: string, state: FolderState = 'ok'): IFolder {
  return {
    name,
    path: `/home/alice/cloud-storage/${name}`,
    browser_path: `cloud-storage/${name}`,
    state,
    read_only: false,
    bucket: name,
    prefix: '',
    checked_at: null,
    reason: '',
    restarts: 0
  };
}

export function upload(name: string, state: IUpload['state']): IUpload {
  return { folder: 'alice', name, size: 1024, state, tries: 0, error: '' };
}

/** A bucket with 200 GiB, of which some percent are used. */
export function usage(percent: number): IUsage {
  const quota = 200 * 2 ** 30;
  return {
    used_bytes: (quota * percent) / 100,
    quota_bytes: quota,
    objects: 2014,
    at: '2026-11-21T14:31:00Z',
    source: 'counted'
  };
}

export function status(changes: Partial<IStorageStatus> = {}): IStorageStatus {
  return {
    state: 'mounted',
    reason: '',
    code: '',
    mode: 'helper',
    engine: 'rclone',
    folders: [folder('alice')],
    uploads: [],
    uploads_total: changes.uploads?.length ?? 0,
    bytes_pending: 0,
    usage: null,
    endpoint: '',
    credentials_expire_at: null,
    updated_at: '2026-11-21T14:31:00Z',
    ...changes
  };
}

export function health(...states: IPart['state'][]): IHealth {
  return {
    status: states.every(state => state === 'ok') ? 'ok' : 'degraded',
    version: '0.1.0',
    parts: states.map((state, n) => ({
      name: `part${n}`,
      state,
      detail: '',
      latency_ms: 1,
      checked_at: null
    }))
  };
}
