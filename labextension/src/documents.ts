/**
 * The documents of `naas/api`, as `naas_client.models` and `naas_server.storage` define them.
 */

export type FolderState = 'connecting' | 'ok' | 'reconnecting' | 'refused' | 'down' | 'off';

export interface IFolder {
  name: string;
  path: string;
  state: FolderState;
  read_only: boolean;
  checked_at: string | null;
  reason: string;
  restarts: number;
  /** Path for the file browser; null when it cannot reach the folder. */
  browser_path: string | null;
}

export interface IUpload {
  folder: string;
  name: string;
  size: number;
  state: 'waiting' | 'uploading' | 'failed';
  tries: number;
  error: string;
}

export interface IStorageStatus {
  state: 'starting' | 'mounted' | 'degraded' | 'draining' | 'stopped';
  reason: string;
  code: string;
  mode: 'helper' | 'fusermount' | 'none';
  engine: string;
  folders: IFolder[];
  uploads: IUpload[];
  uploads_total: number;
  bytes_pending: number;
  credentials_expire_at: string | null;
  updated_at: string;
}

export interface IPart {
  name: string;
  state: 'ok' | 'starting' | 'degraded' | 'down' | 'stopped';
  detail: string;
  latency_ms: number | null;
  checked_at: string | null;
}

export interface IHealth {
  status: 'ok' | 'degraded' | 'down';
  version: string;
  parts: IPart[];
}

export interface IMe {
  name: string;
  groups: string[];
  admin: boolean;
}

export interface IEvent {
  id: number;
  type: string;
  username: string | null;
  data: Record<string, unknown>;
  at: string;
}

export interface IErrorAnswer {
  error: { code: string; message: string; request_id: string };
}
