import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Api, asFailure } from './api';
import { BackupModel } from './backup/model';
import { ChecksModel } from './checks/model';
import type { IEvent, IHealth, IMe, IStorageStatus } from './documents';
import { Resource } from './resource';
import { S3KeyStore } from './s3Keys';
import { EventStream } from './stream';

/** Seconds. Events carry every change, so polls are only a safety net beside them. */
const QUICK = 5;
const BESIDE_EVENTS = 20;
const NEVER_CHANGES = 60;
const HEALTH = 15;
const SLOWEST = 60;

/**
 * What the panel knows. It asks every few seconds, more slowly while that fails, not at all while the page is hidden.
 */
export class NaasModel implements IDisposable {
  readonly storage = new Resource<IStorageStatus>();
  readonly health = new Resource<IHealth>();
  readonly me = new Resource<IMe>();
  readonly keys: S3KeyStore;
  readonly backup: BackupModel;
  readonly checks: ChecksModel;

  constructor(
    private readonly api: Api,
    private readonly stream: EventStream
  ) {
    this.keys = new S3KeyStore(api);
    this.backup = new BackupModel(api);
    this.backup.changed.connect(() => this._changed.emit());
    this.checks = new ChecksModel(api);
    this.checks.changed.connect(() => this._changed.emit());
    this.storagePoll = new Poll({
      name: 'naas:storage',
      factory: () => this.ask(this.storage, 'storage'),
      frequency: { interval: QUICK * 1000, backoff: true, max: SLOWEST * 1000 },
      standby: 'when-hidden'
    });
    this.healthPoll = new Poll({
      name: 'naas:health',
      factory: () => Promise.all([this.ask(this.health, 'health'), this.askOnce()]),
      frequency: { interval: HEALTH * 1000, backoff: true, max: SLOWEST * 1000 },
      standby: () => (this._panelVisible ? 'when-hidden' : true)
    });
    stream.event.connect(this.onEvent, this);
    stream.connectedChanged.connect(this.adjust, this);
    document.addEventListener('visibilitychange', this.onVisibility);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Seconds between two polls of the storage as it is now. */
  get storageInterval(): number {
    return this.storagePoll.frequency.interval / 1000;
  }

  get healthInterval(): number {
    return HEALTH;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Services are asked about only while somebody can see the answer. */
  set panelVisible(visible: boolean) {
    const appeared = visible && !this._panelVisible;
    this._panelVisible = visible;
    this.backup.panelVisible = visible;
    this.checks.panelVisible = visible;
    if (appeared) {
      void this.healthPoll.refresh();
    }
    this._changed.emit();
  }

  get panelVisible(): boolean {
    return this._panelVisible;
  }

  /** Ask for everything now. */
  async refresh(): Promise<void> {
    this.storage.restart();
    this.health.restart();
    this._changed.emit();
    await Promise.allSettled([
      this.storagePoll.refresh(),
      this.healthPoll.refresh(),
      this.backup.refresh(),
      this.checks.refresh()
    ]);
  }

  /** Send now what could not be sent. Raises `ApiError`. */
  retryUploads(): Promise<void> {
    return this.tell('storage/retry', {});
  }

  /** Connect a folder anew. Raises `ApiError`. */
  reconnect(name: string): Promise<void> {
    return this.tell('storage/reconnect', { name });
  }

  /** Who this is; null while the platform does not answer. */
  async identify(): Promise<IMe | null> {
    await this.askOnce();
    return this.me.data;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.storagePoll.dispose();
    this.healthPoll.dispose();
    this.backup.dispose();
    this.checks.dispose();
    this.stream.dispose();
    Signal.clearData(this);
  }

  private async tell(path: string, body: object): Promise<void> {
    this.storage.received(await this.api.post<IStorageStatus>(path, body));
    this._changed.emit();
  }

  private async ask<T>(resource: Resource<T>, path: string): Promise<void> {
    try {
      resource.received(await this.api.get<T>(path));
    } catch (error) {
      resource.failed(asFailure(error));
      throw error; // so that the poll slows down
    } finally {
      this.adjust();
    }
  }

  /** Who this is does not change while the page is open. */
  private async askOnce(): Promise<void> {
    if (this.me.data === null) {
      await this.ask(this.me, 'me').catch(() => undefined); // the services' state says what is wrong
    }
  }

  private onEvent(_: EventStream, event: IEvent): void {
    this.checks.told(event);
    if (event.type === 'storage.status') {
      this.storage.received(event.data as unknown as IStorageStatus);
      this._changed.emit();
    } else if (this._panelVisible) {
      void this.healthPoll.refresh();
    }
  }

  private onVisibility = (): void => {
    if (!document.hidden) {
      void this.storagePoll.refresh();
      if (this._panelVisible) {
        void this.healthPoll.refresh();
      }
    }
  };

  private adjust(): void {
    const status = this.storage.data;
    let interval = this.stream.connected ? BESIDE_EVENTS : QUICK;
    if (status?.code === 'no-storage') {
      interval = NEVER_CHANGES;
    }
    if (interval !== this.storageInterval) {
      this.storagePoll.frequency = { interval: interval * 1000, backoff: true, max: SLOWEST * 1000 };
    }
    this._changed.emit();
  }

  private readonly storagePoll: Poll;
  private readonly healthPoll: Poll;
  private _panelVisible = false;
  private _isDisposed = false;
  private _changed = new Signal<this, void>(this);
}
