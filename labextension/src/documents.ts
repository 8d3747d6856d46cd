/**
 * The documents of `naas/api`, as `naas_client.models` and `naas_server.storage` define them.
 */

export type FolderState = 'connecting' | 'ok' | 'reconnecting' | 'refused' | 'down' | 'off';

export interface IFolder {
  name: string;
  path: string;
  state: FolderState;
  read_only: boolean;
  bucket: string;
  /** In the bucket, without slashes at the ends. */
  prefix: string;
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

export interface IUsage {
  used_bytes: number;
  /** Null when no limit is known. */
  quota_bytes: number | null;
  objects: number | null;
  at: string;
  source: 'store' | 'counted';
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
  /** Of one's own bucket. */
  usage: IUsage | null;
  /** The site in use when it is not the first one. */
  endpoint: string;
  credentials_expire_at: string | null;
  updated_at: string;
}

export interface IBucket {
  name: string;
  /** Made by or for this person: may be emptied and deleted. */
  own: boolean;
  created_at: string | null;
  versioning: boolean;
  object_lock: boolean;
  /** Only in the answer about a single bucket. */
  usage: IUsage | null;
}

export interface INewBucket {
  name: string;
  versioning: boolean;
  object_lock: boolean;
}

/** An object, or a folder: a common prefix, whose key ends in a slash. */
export interface IStoredObject {
  key: string;
  folder: boolean;
  size: number;
  modified_at: string | null;
  version: string | null;
  latest: boolean;
  /** A delete marker of a versioned bucket. */
  deleted: boolean;
}

export interface IObjectPage {
  items: IStoredObject[];
  next: string | null;
  scanned: number;
}

export interface IDeleted {
  deleted: number;
  errors: { key: string; message: string }[];
}

export interface ILink {
  url: string;
  expires_at: string;
  /** The longest life that the session allows now, in seconds. */
  longest_seconds: number;
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
