/**
 * Files on their way from this browser to a bucket: a few at a time, each with its progress, none lost in silence.
 */
import type { IFailure } from '../resource';

/** Files sent at once; more would only share the same line. */
const AT_ONCE = 3;

export type TransferState = 'waiting' | 'uploading' | 'exists' | 'failed' | 'saved';

export interface ITransfer {
  readonly id: number;
  readonly bucket: string;
  readonly key: string;
  readonly file: Blob;
  state: TransferState;
  sent: number;
  failure: IFailure | null;
  replace: boolean;
}

export interface ISending {
  has(bucket: string, key: string, signal: AbortSignal): Promise<boolean>;
  upload(
    bucket: string,
    key: string,
    file: Blob,
    replace: boolean,
    progress: (sent: number) => void,
    signal: AbortSignal
  ): Promise<void>;
}

export class Transfers {
  /** Parameters: `changed`, called after each change; `saved`, after each file that is in the store. */
  constructor(
    private readonly store: ISending,
    private readonly failure: (error: unknown) => IFailure,
    private readonly changed: () => void,
    private readonly saved: (transfer: ITransfer) => void
  ) {}

  get all(): readonly ITransfer[] {
    return this.list;
  }

  /** Whether leaving the page would lose something. */
  get running(): boolean {
    return this.list.some(({ state }) => state === 'waiting' || state === 'uploading');
  }

  add(bucket: string, files: readonly { key: string; file: Blob }[]): void {
    for (const { key, file } of files) {
      this.count += 1;
      const id = this.count;
      this.list.push({ id, bucket, key, file, state: 'waiting', sent: 0, failure: null, replace: false });
    }
    this.pump();
  }

  /** Send again what failed, or what waits for a word about replacing. */
  retry(ids: readonly number[], replace = false): void {
    for (const transfer of this.list.filter(({ id }) => ids.includes(id))) {
      if (transfer.state === 'failed' || transfer.state === 'exists') {
        Object.assign(transfer, { state: 'waiting', sent: 0, failure: null });
        transfer.replace ||= replace;
      }
    }
    this.pump();
  }

  /** Take files off the list; the ones on their way are stopped and nothing of them is kept. */
  cancel(ids: readonly number[]): void {
    for (const id of ids) {
      this.aborts.get(id)?.abort();
    }
    this.list = this.list.filter(({ id }) => !ids.includes(id));
    this.pump();
  }

  /** Forget what is done. */
  clear(): void {
    this.cancel(this.list.filter(({ state }) => state === 'saved').map(({ id }) => id));
  }

  private pump(): void {
    const waiting = this.list.filter(({ state }) => state === 'waiting');
    for (const transfer of waiting.slice(0, AT_ONCE - this.aborts.size)) {
      void this.send(transfer);
    }
    this.changed();
  }

  private async send(transfer: ITransfer): Promise<void> {
    const { id, bucket, key, file } = transfer;
    const abort = new AbortController();
    this.aborts.set(id, abort);
    transfer.state = 'uploading';
    const progress = (sent: number) => {
      transfer.sent = Math.min(sent, file.size);
      this.changed();
    };
    try {
      // Asked before, because a refusal may get lost while the browser still sends; the store decides in any case.
      if (!transfer.replace && (await this.store.has(bucket, key, abort.signal))) {
        transfer.state = 'exists';
      } else {
        await this.store.upload(bucket, key, file, transfer.replace, progress, abort.signal);
        Object.assign(transfer, { state: 'saved', sent: file.size });
        this.saved(transfer);
      }
    } catch (error) {
      const failure = this.failure(error);
      Object.assign(transfer, { state: failure.code === 'exists' ? 'exists' : 'failed', failure });
    } finally {
      this.aborts.delete(id);
      this.pump();
    }
  }

  private list: ITransfer[] = [];
  private count = 0;
  private readonly aborts = new Map<number, AbortController>();
}
