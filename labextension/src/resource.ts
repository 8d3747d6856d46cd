/**
 * Something asked for again and again: the last data, the last error, and since when. Pure, so that it can be tested.
 */

/** Polls without an answer after which the age of the data is shown in the open. */
const STALE_POLLS = 3;

export interface IFailure {
  code: string;
  message: string;
  requestId: string;
}

export type View<T> =
  | { kind: 'loading'; seconds: number }
  | { kind: 'error'; failure: IFailure; since: Date }
  | { kind: 'data'; data: T; receivedAt: Date; stale: boolean; failure: IFailure | null };

export class Resource<T> {
  constructor(private readonly now: () => Date = () => new Date()) {
    this.since = now();
  }

  get data(): T | null {
    return this._data?.value ?? null;
  }

  received(value: T): void {
    this._data = { value, at: this.now() };
    this._failure = null;
  }

  failed(failure: IFailure): void {
    this._failure = { value: failure, at: this._failure?.at ?? this.now() };
  }

  /** Ask anew after an error without data: the error gives way to the loading state. */
  restart(): void {
    if (this._data === null) {
      this._failure = null;
      this.since = this.now();
    }
  }

  /** Parameters: `interval`, seconds between two polls. */
  view(interval: number): View<T> {
    const now = this.now().getTime();
    if (this._data !== null) {
      const { value, at } = this._data;
      const stale = now - at.getTime() > STALE_POLLS * interval * 1000;
      return { kind: 'data', data: value, receivedAt: at, stale, failure: this._failure?.value ?? null };
    }
    if (this._failure !== null) {
      return { kind: 'error', failure: this._failure.value, since: this._failure.at };
    }
    return { kind: 'loading', seconds: (now - this.since.getTime()) / 1000 };
  }

  private since: Date;
  private _data: { value: T; at: Date } | null = null;
  private _failure: { value: IFailure; at: Date } | null = null;
}
