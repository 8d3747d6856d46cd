import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Api, asFailure } from '../api';
import { Listing } from '../buckets/listing';
import { query } from '../buckets/store';
import type { IBackupRun, IBackupSettings, IBackupStatus, IObjectPage } from '../documents';
import { Resource } from '../resource';

/** Seconds between two looks: while something is at work, and else. */
const QUICK = 2;
const CALM = 30;
const SLOWEST = 60;
/** Milliseconds for the store to list the backups; the server gives up before. */
const LIST_LIMIT = 75_000;
/** Files of a page. */
const PAGE = 1000;

/** What was started from this page and has ended. */
export interface IEnded {
  what: 'backup' | 'restore';
  /** Whether `status` has its result: a process that was killed leaves none. */
  known: boolean;
}

/** Where the Backups tab is: the list when `run` is empty, else a folder of a backup. */
export interface IBackupPlace {
  run: string;
  prefix: string;
}

export const BACKUPS: IBackupPlace = { run: '', prefix: '' };

/**
 * The backup of the home: how it is, which backups there are, and what is in one. It asks only while somebody can see the
 * answer or something is at work, and not at all while the page is hidden.
 */
export class BackupModel implements IDisposable {
  readonly status = new Resource<IBackupStatus>();
  readonly runs = new Resource<IBackupRun[]>();

  constructor(private readonly api: Api) {
    this.poll = new Poll({
      name: 'naas:backup',
      factory: () => this.ask(),
      frequency: { interval: CALM * 1000, backoff: true, max: SLOWEST * 1000 },
      standby: () => (this.running || this.seen ? 'when-hidden' : true)
    });
    document.addEventListener('visibilitychange', this.onVisibility);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when what was started from this page has ended; the result is in `status`. */
  get ended(): ISignal<this, IEnded> {
    return this._ended;
  }

  /** Seconds between two looks as it is now. */
  get interval(): number {
    return this.poll.frequency.interval / 1000;
  }

  get running(): boolean {
    return Boolean(this.status.data?.running);
  }

  get place(): IBackupPlace {
    return this._place;
  }

  get search(): string {
    return this._search;
  }

  /** The files of the place; null in the list of backups. */
  get listing(): Listing | null {
    return this._listing;
  }

  /** The backup of the place; null in the list, or while the list is not there. */
  get run(): IBackupRun | null {
    return this.runs.data?.find(({ id }) => id === this._place.run) ?? null;
  }

  set panelVisible(visible: boolean) {
    this.see('panel', visible);
  }

  set tabVisible(visible: boolean) {
    this.see('tab', visible);
  }

  get tabVisible(): boolean {
    return this.views.has('tab');
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  /** The restore, by its time, whose result is not to be shown any more. */
  get hidden(): string {
    return this._hidden;
  }

  hide(restore: string): void {
    this._hidden = restore;
    this._changed.emit();
  }

  /** Ask how it is now. */
  async refresh(): Promise<void> {
    this.status.restart();
    this._changed.emit();
    await this.poll.refresh();
    await this.poll.tick;
  }

  /** How it is, asked for when nothing is known yet. Raises `ApiError`. */
  async known(): Promise<IBackupStatus> {
    if (this.status.data === null) {
      this.received(await this.api.get<IBackupStatus>('backup'));
    }
    return this.status.data!;
  }

  /** Begin a backup. Raises `ApiError`. */
  async backUp(): Promise<void> {
    this.started('backup', await this.api.post<IBackupStatus>('backup/runs', {}));
  }

  /** Begin to bring files back. Parameters: `paths`, empty for all. Raises `ApiError`. */
  async restore(run: string, paths: string[], inPlace: boolean): Promise<void> {
    const order = { run, paths, in_place: inPlace };
    this.started('restore', await this.api.post<IBackupStatus>('backup/restore', order));
  }

  /** Keep other settings. Raises `ApiError` with the server's sentence when they cannot be used. */
  async change(settings: IBackupSettings): Promise<void> {
    this.received(await this.api.put<IBackupStatus>('backup/settings', settings));
  }

  /** Go to a place. Parameters: `search`, text that paths below it contain. */
  open(place: IBackupPlace, search = ''): void {
    this._place = place;
    this._search = search;
    this._listing?.stop();
    this._listing = null;
    if (place.run !== '') {
      this._listing = new Listing(
        (cursor, signal) => this.page(place, search, cursor, signal),
        asFailure,
        () => this._changed.emit()
      );
    }
    void this.look();
    this._changed.emit();
  }

  /** Ask anew for what the tab shows. */
  async look(): Promise<void> {
    const { listing } = this;
    if (this.runs.data === null || listing === null) {
      await this.listRuns(); // the server knows of a backup's files once it has listed the backups
    }
    if (listing !== null && listing === this._listing) {
      await listing.refresh();
    }
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this.onVisibility);
    this._listing?.stop();
    this.poll.dispose();
    Signal.clearData(this);
  }

  private page(
    { run, prefix }: IBackupPlace,
    search: string,
    cursor: string | null,
    signal: AbortSignal
  ): Promise<IObjectPage> {
    const values = { prefix, limit: PAGE, search: search || null, cursor };
    return this.api.get(`backup/runs/${encodeURIComponent(run)}/files?${query(values)}`, signal);
  }

  private async listRuns(): Promise<void> {
    this.runs.restart();
    this._changed.emit();
    try {
      const { items } = await this.api.get<{ items: IBackupRun[] }>('backup/runs', undefined, LIST_LIMIT);
      this.runs.received(items);
    } catch (error) {
      this.runs.failed(asFailure(error));
    }
    this._changed.emit();
  }

  private async ask(): Promise<void> {
    try {
      this.received(await this.api.get<IBackupStatus>('backup'));
    } catch (error) {
      this.status.failed(asFailure(error));
      this._changed.emit();
      throw error; // so that the poll slows down
    }
  }

  private started(what: IEnded['what'], status: IBackupStatus): void {
    this.own = { what, before: status };
    this.received(status);
    void this.poll.refresh(); // the wait of a calm time is over
  }

  private received(status: IBackupStatus): void {
    const before = this.status.data;
    this.status.received(status);
    const interval = status.running ? QUICK : CALM;
    if (interval !== this.interval) {
      this.poll.frequency = { interval: interval * 1000, backoff: true, max: SLOWEST * 1000 };
    }
    if (this.own !== null && !status.running) {
      const { what, before: old } = this.own;
      this.own = null;
      const known =
        what === 'restore'
          ? status.restored?.at !== old.restored?.at
          : status.problem !== '' || status.last?.id !== old.last?.id;
      this._ended.emit({ what, known });
    }
    if (before !== null && before.last?.id !== status.last?.id && this.tabVisible) {
      void this.listRuns();
    }
    this._changed.emit();
  }

  private see(view: string, visible: boolean): void {
    const appeared = visible && !this.views.has(view);
    visible ? this.views.add(view) : this.views.delete(view);
    if (appeared) {
      void this.poll.refresh();
    }
  }

  private get seen(): boolean {
    return this.views.size > 0;
  }

  private onVisibility = (): void => {
    if (!document.hidden && (this.seen || this.running)) {
      void this.poll.refresh();
    }
  };

  private _place = BACKUPS;
  private _search = '';
  private _hidden = '';
  private _listing: Listing | null = null;
  /** What was started from this page and has not ended. */
  private own: { what: IEnded['what']; before: IBackupStatus } | null = null;
  private readonly views = new Set<string>();
  private readonly poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _ended = new Signal<this, IEnded>(this);
}
