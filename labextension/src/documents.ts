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

export interface IBackupSettings {
  /** 0: only when asked for. */
  every_hours: number;
  /** How long replaced and deleted files are kept. */
  keep_days: number;
  exclude: string[];
  ping_url: string;
}

/** One backup; `files` and `bytes` count all that it holds, `sent_…` what was new or changed. */
export interface IBackupRun {
  id: string;
  started_at: string;
  ended_at: string;
  files: number;
  bytes: number;
  sent_files: number;
  sent_bytes: number;
  /** What could not be saved, with the cause. */
  errors: string[];
}

export interface IBackupProgress {
  what: 'backup' | 'restore';
  started_at: string;
  files: number;
  files_total: number;
  bytes: number;
  bytes_total: number;
}

export interface IBackupRestore {
  run: string;
  at: string;
  files: number;
  /** Below the home; empty: where the files came from. */
  folder: string;
  /** Folder below the home with what was there before; empty: nothing was. */
  replaced: string;
  problem: string;
}

export interface IBackupStatus {
  settings: IBackupSettings;
  running: IBackupProgress | null;
  last: IBackupRun | null;
  /** Why the newest try failed as a whole. */
  problem: string;
  next_at: string | null;
  restored: IBackupRestore | null;
  /** The home's place in the file browser; null when it cannot reach it. */
  home: string | null;
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
  capabilities?: Record<string, { allowed: boolean; reason: string }>;
}

/** A long-lived key for a program that cannot renew credentials. */
export interface IS3Key {
  id: number;
  access_key_id: string;
  description: string;
  read_only: boolean;
  made_at: string;
  expires_at: string;
  state: 'active' | 'revoking' | 'ended';
}

/** The answer to making one: the only time its secret is told. */
export interface IMadeS3Key extends IS3Key {
  secret_access_key: string;
  bucket: string;
  endpoint: string;
  region: string;
}

export interface INewS3Key {
  description: string;
  days: number;
  read_only: boolean;
}

export interface IS3Keys {
  items: IS3Key[];
  longest_days: number;
  most: number;
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

/** A project of the Healthchecks server; its API key stays with the platform. */
export interface ICheckProject {
  id: number;
  name: string;
  /** IAM group that shares it; empty: one's own. */
  group: string;
  read_only: boolean;
  members_write: boolean;
  writable: boolean;
  manageable: boolean;
  provisioned: boolean;
  notify: boolean;
  key_revoked: boolean;
}

export interface ICheckProjects {
  items: ICheckProject[];
  /** The server's own pages, where projects and keys are made; may be empty. */
  url: string;
  groups: string[];
}

export type CheckKind = 'simple' | 'cron' | 'oncalendar';

export interface ICheck {
  id: string;
  project: number;
  name: string;
  slug: string;
  tags: string[];
  desc: string;
  status: 'new' | 'up' | 'grace' | 'down' | 'paused' | `unknown: ${string}`;
  started: boolean;
  kind: CheckKind;
  /** Seconds; only of a simple schedule. */
  timeout: number | null;
  grace: number;
  schedule: string | null;
  tz: string | null;
  n_pings: number;
  last_ping: string | null;
  next_ping: string | null;
  /** Seconds. */
  last_duration: number | null;
  channels: string[];
  as_of: string;
  /** Empty with a read-only key. */
  ping_url: string;
  badge_url: string;
}

/** Why what is shown of a project is older than it should be. */
export interface ICheckProblem {
  project: number;
  code: string;
  message: string;
  as_of: string | null;
}

export interface IAgedPage<T> {
  items: T[];
  total: number | null;
  next: string | null;
  as_of: string | null;
  problems: ICheckProblem[];
}

export interface ICheckPage extends IAgedPage<ICheck> {
  states: Record<string, number>;
  tags: string[];
}

export interface ICheckPing {
  n: number;
  at: string;
  type: string;
  exit_status: number | null;
  /** Seconds. */
  duration: number | null;
  remote_addr: string;
  user_agent: string;
  has_body: boolean;
}

export interface ICheckPingBody {
  n: number;
  text: string;
  binary: boolean;
  size: number;
  truncated: boolean;
}

export interface ICheckFlip {
  at: string;
  up: boolean;
}

export interface ICheckChannel {
  id: string;
  name: string;
  kind: string;
}

export interface ICheckBadge {
  tag: string;
  svg: string;
}

/** What may be said of a check; what is left out stays, or is the server's own choice. */
export interface ICheckFields {
  name?: string;
  tags?: string[];
  desc?: string;
  timeout?: number;
  grace?: number;
  schedule?: string;
  tz?: string;
  channels?: string[];
}

export interface INewCheckProject {
  name: string;
  api_key: string;
  group: string;
}

export interface ISchedulePreview {
  kind: 'cron' | 'oncalendar';
  tz: string;
  /** In English words; may be empty. */
  text: string;
  runs: string[];
}
