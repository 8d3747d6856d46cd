import { Notification } from '@jupyterlab/apputils';

import type { IStorageStatus } from './documents';
import { count } from './formats';
import { NaasModel } from './model';
import { failedUploads, isDown, lostFolders } from './summary';
import type { ILanguage } from './words';
import { told } from './words';

interface IToast {
  id: string;
  message: string;
}

function sentences(...parts: string[]): string {
  return parts.filter(part => part !== '').join(' ');
}

/** Danger only, one toast a cause; it changes with its cause and goes away with it. */
export class Toasts {
  constructor(
    private readonly model: NaasModel,
    private readonly language: ILanguage,
    private readonly showPanel: () => void
  ) {
    model.changed.connect(this.update, this);
  }

  private update(): void {
    const status = this.model.storage.data;
    if (status === null) {
      return;
    }
    this.show('unsaved', this.unsaved(status));
    this.show('lost', this.lost(status));
  }

  private unsaved(status: IStorageStatus): string | null {
    const { trans, tag } = this.language;
    const failed = failedUploads(status);
    if (failed.length === 0) {
      return null;
    }
    return trans._n(
      '%3 is not saved to the bucket. Your file is kept on this server.',
      '%2 files are not saved to the bucket. They are kept on this server.',
      failed.length,
      count(failed.length, tag),
      failed[0].name.split('/').pop()
    );
  }

  private lost(status: IStorageStatus): string | null {
    const { trans, tag } = this.language;
    if (isDown(status)) {
      return sentences(
        trans.__('cloud-storage is not connected.'),
        told(status.reason, trans),
        trans.__('Your notebook runs; nothing can be written there until it is back.')
      );
    }
    const lost = lostFolders(status);
    if (lost.length === 0) {
      return null;
    }
    if (lost.length > 1) {
      return trans.__('%1 folders cannot be written.', count(lost.length, tag));
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
      this.shown.set(cause, { id: this.emit(message), message });
    }
  }

  private emit(message: string): string {
    return Notification.emit(message, 'error', {
      autoClose: false,
      actions: [{ label: this.language.trans.__('Show in panel'), callback: this.showPanel }]
    });
  }

  private readonly shown = new Map<string, IToast>();
}
