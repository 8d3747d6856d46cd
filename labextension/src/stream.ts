import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Api } from './api';
import type { IEvent } from './documents';
import { FrameReader } from './sse';

/** Milliseconds before each new attempt; the last one repeats. */
const PAUSES = [1_000, 5_000, 15_000, 60_000];
/** Milliseconds without a byte after which a stream is dead; the server gives a sign of life each 15 s. */
const SILENCE = 45_000;

/**
 * The events of the server extension, for as long as the page is visible. It only makes the panel quicker: without it, polls do.
 */
export class EventStream implements IDisposable {
  constructor(private readonly api: Api) {
    document.addEventListener('visibilitychange', this.onVisibility);
    this.onVisibility();
  }

  get event(): ISignal<this, IEvent> {
    return this._event;
  }

  get connectedChanged(): ISignal<this, boolean> {
    return this._connectedChanged;
  }

  get connected(): boolean {
    return this._connected;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.abort?.abort();
    Signal.clearData(this);
  }

  private onVisibility = (): void => {
    if (document.hidden) {
      this.abort?.abort();
      this.abort = null;
    } else if (this.abort === null) {
      this.abort = new AbortController();
      void this.run(this.abort.signal);
    }
  };

  private async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await this.read(signal, () => {
          failures = 0;
        });
      } catch {
        // Polls go on meanwhile, and say what is wrong.
      }
      this.setConnected(false);
      await pause(PAUSES[Math.min(failures, PAUSES.length - 1)], signal);
    }
  }

  private async read(signal: AbortSignal, alive: () => void): Promise<void> {
    const own = new AbortController();
    const both = AbortSignal.any([signal, own.signal]);
    const reader = (await this.api.events(this.lastEventId, both)).getReader();
    const decoder = new TextDecoder();
    const frames = new FrameReader();
    try {
      for (;;) {
        const silence = setTimeout(() => own.abort(), SILENCE);
        const { done, value } = await reader.read().finally(() => clearTimeout(silence));
        if (done) {
          return;
        }
        alive();
        this.setConnected(true);
        for (const { id, data } of frames.push(decoder.decode(value, { stream: true }))) {
          this.lastEventId = id || this.lastEventId;
          this._event.emit(JSON.parse(data) as IEvent);
        }
      }
    } finally {
      own.abort();
    }
  }

  private setConnected(connected: boolean): void {
    if (connected !== this._connected) {
      this._connected = connected;
      this._connectedChanged.emit(connected);
    }
  }

  private abort: AbortController | null = null;
  private _connected = false;
  private lastEventId = '';
  private _isDisposed = false;
  private _event = new Signal<this, IEvent>(this);
  private _connectedChanged = new Signal<this, boolean>(this);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
