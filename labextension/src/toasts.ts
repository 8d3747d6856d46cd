import { Notification } from '@jupyterlab/apputils';

import type { IStorageStatus, IUpload } from './documents';
import { count } from './formats';
import { NaasModel } from './model';
import { level, ownFolder, used } from './quota';
import { isDown, lostFolders, unsavedByCause } from './summary';
import type { ILanguage } from './words';
import { told } from './words';

/** Causes of unsaved files that have a toast each; more would hide the page. */
const MOST_CAUSES = 3;
/** Characters after which Lab cuts a toast. */
const LONGEST = 140;
const UNSAVED = 'unsaved ';

interface IToast {
  id: string;
  message: string;
}

/** The level of which people have been told, kept over reloads of the page. */
export interface ITold {
  level: number;
  save(level: number): void;
}

export interface IToastActions {
  showPanel(): void;
  retryUploads(): void;
  browseBuckets(): void;
}

function sentences(...parts: string[]): string {
  return parts.filter(part => part !== '').join(' ');
}

/** Danger only, one toast a cause; it changes with its cause and goes away with it. */
export class Toasts {
  constructor(
    private readonly model: NaasModel,
    private readonly language: ILanguage,
    private readonly actions: IToastActions,
    private readonly told: ITold
  ) {
    model.changed.connect(this.update, this);
    this.update();
  }

  private update(): void {
    const status = this.model.storage.data;
    if (status === null) {
      return;
    }
    this.showUnsaved(status);
    this.show('lost', this.lost(status));
    this.showFull(status);
  }

  /** One toast a cause, or one for all when there are many. */
  private showUnsaved(status: IStorageStatus): void {
    const causes = unsavedByCause(status);
    const shown = causes.size <= MOST_CAUSES ? causes : new Map([['', Array.from(causes.values()).flat()]]);
    for (const cause of this.shown.keys()) {
      if (cause.startsWith(UNSAVED) && !shown.has(cause.slice(UNSAVED.length))) {
        this.show(cause, null);
      }
    }
    for (const [error, failed] of shown) {
      this.show(UNSAVED + error, this.unsaved(error, failed));
    }
  }

  private unsaved(error: string, failed: IUpload[]): string {
    const { trans, tag } = this.language;
    const what = sentences(
      trans._n(
        '%3 is not saved to the bucket.',
        '%2 files are not saved to the bucket.',
        failed.length,
        count(failed.length, tag),
        failed[0].name.split('/').pop()
      ),
      told(error, trans)
    );
    const all = sentences(
      what,
      trans._n('Your file is kept on this server.', 'Your files are kept on this server.', failed.length)
    );
    return all.length <= LONGEST ? all : what; // the panel says all of it
  }

  /** Once when 80 % is crossed, and once more at 95 %. */
  private showFull(status: IStorageStatus): void {
    const { trans } = this.language;
    const { usage } = status;
    const reached = Math.min(95, level(usage));
    if (usage === null || reached === this.told.level) {
      return;
    }
    const rose = reached > this.told.level;
    this.told.level = reached;
    this.told.save(reached);
    Notification.dismiss(this.full);
    if (rose) {
      const own = ownFolder(status);
      const message = sentences(
        trans.__(
          'Your bucket %1 is over %2 %% full: %3.',
          own?.name ?? '',
          reached,
          used(usage, this.language)
        ),
        trans.__('Delete what you do not need, or ask for more space.')
      );
      this.full = Notification.emit(message, 'warning', {
        autoClose: false,
        actions: [{ label: trans.__('Browse buckets'), callback: this.actions.browseBuckets }]
      });
    }
  }

  private lost(status: IStorageStatus): string | null {
    const { trans, tag } = this.language;
    if (isDown(status)) {
      const what = trans.__('cloud-storage is not connected.');
      const effect = trans.__('Your notebook runs; nothing can be written there until it is back.');
      const all = sentences(what, told(status.reason, trans), effect);
      return all.length <= LONGEST ? all : sentences(what, effect); // the panel says why
    }
    const lost = lostFolders(status);
    if (lost.length === 0) {
      return null;
    }
    if (lost.length > 1) {
      const number = count(lost.length, tag);
      return lost.some(({ state }) => state === 'refused')
        ? trans.__('%1 folders cannot be written.', number)
        : trans.__('%1 folders are not connected.', number); // some of them could only be read
    }
    const [{ state, reason, browser_path, path }] = lost;
    const shown = browser_path ?? path;
    return sentences(
      state === 'refused'
        ? trans.__('Writes to %1 are refused.', shown)
        : trans.__('%1 is not connected.', shown),
      told(reason, trans)
    );
  }

  private show(cause: string, message: string | null): void {
    const shown = this.shown.get(cause);
    if (shown?.message === message || (!shown && message === null)) {
      return;
    }
    if (message === null) {
      Notification.dismiss(shown!.id);
      this.shown.delete(cause);
    } else if (shown && Notification.update({ id: shown.id, message })) {
      this.shown.set(cause, { id: shown.id, message });
    } else {
      const retry = cause.startsWith(UNSAVED);
      this.shown.set(cause, { id: this.emit(message, retry), message });
    }
  }

  private emit(message: string, retry: boolean): string {
    const { trans } = this.language;
    const { showPanel, retryUploads } = this.actions;
    return Notification.emit(message, 'error', {
      autoClose: false,
      actions: [
        ...(retry ? [{ label: trans.__('Retry'), callback: retryUploads }] : []),
        { label: trans.__('Show in panel'), callback: showPanel }
      ]
    });
  }

  private full = '';
  private readonly shown = new Map<string, IToast>();
}
