import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { asFailure } from '../api';
import type { IBucket, IStoredObject } from '../documents';
import { Resource } from '../resource';
import { BUCKETS, IPlace, parentOf } from './keys';
import { Listing } from './listing';
import { BucketStore } from './store';
import { ITransfer, Transfers } from './transfers';

/** Objects up to which the server counts. */
export const COUNTED = 100_000;
/** Seconds between two looks at what is shown. */
export const INTERVAL = 30;

/** What the Buckets tab shows: a place, what is listed there, and what is on its way. Outlives the tab, as uploads do. */
export class BucketBrowser implements IDisposable {
  readonly buckets = new Resource<IBucket[]>();
  readonly transfers: Transfers;

  constructor(readonly store: BucketStore) {
    const changed = () => this._changed.emit();
    this.transfers = new Transfers(store, asFailure, changed, transfer => this.onSaved(transfer));
    this.poll = new Poll({
      name: 'naas:buckets',
      auto: false,
      factory: () => this.look(),
      frequency: { interval: INTERVAL * 1000, backoff: false },
      standby: () => (this._visible ? 'when-hidden' : true)
    });
    window.addEventListener('beforeunload', this.onLeave);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with each file that has reached the store. */
  get saved(): ISignal<this, ITransfer> {
    return this._saved;
  }

  get place(): IPlace {
    return this._place;
  }

  get search(): string {
    return this._search;
  }

  /** The objects of the place; null in the list of buckets. */
  get listing(): Listing | null {
    return this._listing;
  }

  /** The bucket of the place, with its usage as soon as it is counted. */
  get bucket(): IBucket | null {
    const { bucket } = this._place;
    return this._bucket ?? this.buckets.data?.find(({ name }) => name === bucket) ?? null;
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  get visible(): boolean {
    return this._visible;
  }

  set visible(visible: boolean) {
    this._visible = visible;
    if (visible) {
      this.poll.start();
    }
  }

  /** Go to a place. Parameters: `search`, text that keys below it contain. */
  open(place: IPlace, search = ''): void {
    const other = place.bucket !== this._place.bucket;
    this._place = place;
    this._search = search;
    this._listing?.stop();
    this._listing = null;
    if (place.bucket !== '') {
      const { store } = this;
      this._listing = new Listing(
        (cursor, signal) => store.page(place, search, cursor, signal),
        asFailure,
        () => this._changed.emit()
      );
      void this._listing.refresh();
      if (other) {
        this._bucket = null;
        void this.count();
      }
    } else {
      this._bucket = null;
      void this.listBuckets();
    }
    this._changed.emit();
  }

  /** Ask anew for what is shown. */
  async refresh(): Promise<void> {
    this.buckets.restart();
    this._changed.emit();
    await (this._listing === null
      ? this.listBuckets()
      : Promise.all([this._listing.refresh(), this.count()]));
  }

  /** Do something to the store, then show how it is. Errors are the caller's. */
  async change(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } finally {
      void this.refresh(); // also after an error: a part may have been done
    }
  }

  /** Leave a bucket that is deleted. */
  async removeBucket(name: string): Promise<void> {
    await this.store.remove(name);
    this.open(BUCKETS);
  }

  /** Send files into the folder that is shown. */
  upload(files: readonly { path: string; file: Blob }[]): void {
    const { bucket, prefix } = this._place;
    this.transfers.add(
      bucket,
      files.map(({ path, file }) => ({ key: prefix + path, file }))
    );
  }

  /** The bucket is one where earlier versions are kept. */
  keepsVersions(): boolean {
    return this.bucket?.versioning ?? false;
  }

  dispose(): void {
    window.removeEventListener('beforeunload', this.onLeave);
    this._listing?.stop();
    this.poll.dispose();
    Signal.clearData(this);
  }

  private async listBuckets(): Promise<void> {
    try {
      const found = await this.store.list();
      this.buckets.received(
        found.sort((a, b) => Number(b.own) - Number(a.own) || (a.name < b.name ? -1 : 1))
      );
    } catch (error) {
      this.buckets.failed(asFailure(error));
    }
    this._changed.emit();
  }

  /** Counting a large bucket takes a while: it is not part of the poll. */
  private async count(): Promise<void> {
    const { bucket } = this._place;
    this.counting?.abort();
    this.counting = new AbortController();
    try {
      const counted = await this.store.bucket(bucket, this.counting.signal);
      if (bucket === this._place.bucket) {
        this._bucket = counted;
        this._changed.emit();
      }
    } catch {
      // The listing says what is wrong; without a count there is no number.
    }
  }

  /** A list of one page is looked at again; one that people have scrolled through stays as it is. */
  private async look(): Promise<void> {
    const { listing } = this;
    if (listing === null) {
      await this.listBuckets();
    } else if (!listing.busy && (listing.listed?.pages ?? 0) <= 1) {
      await listing.refresh();
    }
  }

  private onSaved(transfer: ITransfer): void {
    const { bucket, prefix } = this._place;
    this._saved.emit(transfer);
    if (transfer.bucket === bucket && parentOf(transfer.key).startsWith(prefix) && !this.transfers.running) {
      void this.refresh();
    }
  }

  private onLeave = (event: BeforeUnloadEvent): void => {
    if (this.transfers.running) {
      event.preventDefault();
    }
  };

  private _place: IPlace = BUCKETS;
  private _search = '';
  private _listing: Listing | null = null;
  private _bucket: IBucket | null = null;
  private _visible = false;
  private counting: AbortController | null = null;
  private readonly poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _saved = new Signal<this, ITransfer>(this);
}

/** The rows that an action on one row is about: the marked ones when it is one of them. */
export function concerned(
  row: IStoredObject,
  items: readonly IStoredObject[],
  marked: ReadonlySet<string>
): IStoredObject[] {
  return marked.has(row.key) ? items.filter(({ key }) => marked.has(key)) : [row];
}
