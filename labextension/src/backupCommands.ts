import { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { historyIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { asFailure } from './api';
import { BackupModel, BACKUPS, IEnded } from './backup/model';
import { restored, restoredPath } from './backup/words';
import { ask } from './components/backup/question';
import { BackupSettings } from './components/backup/settingsDialog';
import { BackupsTab } from './components/backup/tab';
import { count } from './formats';
import { NaasModel } from './model';
import { BACKUPS_ID, CommandIDs } from './tokens';
import { TabWidget } from './widgets/tab';
import { ILanguage, toldAll } from './words';

export interface IBackupParts {
  app: JupyterFrontEnd;
  model: NaasModel;
  language: ILanguage;
  palette: ICommandPalette | null;
  browser: IDefaultFileBrowser | null;
  restorer: ILayoutRestorer | null;
}

/** The commands of the backup, its tab, and what is said at the end of a backup or a restore. */
export function addBackup(parts: IBackupParts): void {
  const { app, model, language, palette, browser, restorer } = parts;
  const { backup } = model;
  const { trans } = language;
  const { commands, shell } = app;
  const context = { model, language, commands };
  const isVisible = () => model.storage.data?.code !== 'no-storage';
  const tracker = new WidgetTracker<TabWidget>({ namespace: BACKUPS_ID });

  const tab = (): TabWidget => {
    const open = tracker.find(() => true);
    if (open) {
      return open;
    }
    const made = new TabWidget({
      id: BACKUPS_ID,
      label: trans.__('Backups'),
      icon: historyIcon,
      context,
      content: React.createElement(BackupsTab),
      onVisible: visible => {
        backup.tabVisible = visible;
      }
    });
    shell.add(made, 'main');
    void tracker.add(made);
    return made;
  };

  commands.addCommand(CommandIDs.backUp, {
    label: args => (args.menu ? trans.__('Back Up Now') : trans.__('Back Up Home Now')),
    isVisible,
    isEnabled: () => !backup.running,
    execute: async () => {
      try {
        await backup.backUp();
      } catch (error) {
        Notification.error(toldAll(asFailure(error).message, trans), { autoClose: false });
      }
    }
  });
  commands.addCommand(CommandIDs.restoreBackup, {
    label: args => (args.menu ? trans.__('Restore…') : trans.__('Restore From Backup…')),
    caption: trans.__('See what was backed up when, and bring it back'),
    isVisible,
    execute: ({ run, prefix, again }) => {
      const widget = tab();
      const place =
        typeof run === 'string' ? { run, prefix: typeof prefix === 'string' ? prefix : '' } : BACKUPS;
      backup.open(place);
      if (!again) {
        shell.activateById(widget.id);
      }
    }
  });
  commands.addCommand(CommandIDs.backupSettings, {
    label: args => (args.menu ? trans.__('Settings…') : trans.__('Backup Settings…')),
    isVisible,
    execute: async () => {
      try {
        const status = await backup.known();
        ask(context, close => React.createElement(BackupSettings, { status, close }));
      } catch (error) {
        Notification.error(toldAll(asFailure(error).message, trans), { autoClose: false });
      }
    }
  });
  commands.addCommand(CommandIDs.openHomeFolder, {
    label: trans.__('Open folder'),
    isEnabled: () => browser !== null,
    execute: async ({ path }) => {
      if (browser !== null && typeof path === 'string') {
        shell.activateById(browser.id);
        await browser.model.cd(`/${path}`);
      }
    }
  });

  void restorer?.restore(tracker, {
    command: CommandIDs.restoreBackup,
    args: () => ({ ...backup.place, again: true }),
    name: () => 'backups'
  });
  let saved = backup.place;
  backup.changed.connect(() => {
    if (backup.place !== saved) {
      saved = backup.place;
      const open = tracker.find(() => true);
      if (open) {
        void tracker.save(open);
      }
    }
  });

  const category = trans.__('NaaS');
  for (const command of [CommandIDs.backUp, CommandIDs.restoreBackup, CommandIDs.backupSettings]) {
    palette?.addItem({ command, category });
  }
  tellEnd(parts, () => void commands.execute(CommandIDs.restoreBackup));
}

interface IEnd {
  type: 'success' | 'warning' | 'error';
  message: string;
  action: { label: string; callback: () => void } | null;
}

/** One toast at the end of what was started here; the one before goes. */
function tellEnd(parts: IBackupParts, show: () => void): void {
  let shown = '';
  parts.model.backup.ended.connect((_: BackupModel, { what, known }: IEnded) => {
    const end = what === 'backup' ? endOfBackup(parts, known, show) : endOfRestore(parts, known);
    const { type, message, action } = end;
    if (shown !== '') {
      Notification.dismiss(shown); // without an id all would go
    }
    shown = Notification.emit(message, type, {
      autoClose: type === 'success' ? 5000 : false,
      actions: action === null ? [] : [action]
    });
  });
}

function endOfBackup({ app, model, language }: IBackupParts, known: boolean, show: () => void): IEnd {
  const { trans, tag } = language;
  const { problem, last } = model.backup.status.data!;
  if (problem !== '' || last === null || !known) {
    return {
      type: 'error',
      message: `${trans.__('The backup failed.')} ${toldAll(problem, trans)}`.trim(),
      action: {
        label: trans.__('Try again'),
        callback: () => void app.commands.execute(CommandIDs.backUp)
      }
    };
  }
  if (last.errors.length > 0) {
    return {
      type: 'warning',
      message: trans.__('Your home is backed up, but not everything could be saved.'),
      action: { label: trans.__('Show'), callback: show }
    };
  }
  return {
    type: 'success',
    message:
      last.sent_files === 0
        ? trans.__('Your home is backed up. Nothing was new or changed.')
        : trans._n(
            'Your home is backed up: 1 file was new or changed.',
            'Your home is backed up: %2 files were new or changed.',
            last.sent_files,
            count(last.sent_files, tag)
          ),
    action: null
  };
}

function endOfRestore({ app, model, language, browser }: IBackupParts, known: boolean): IEnd {
  const { trans } = language;
  const status = model.backup.status.data!;
  const path = known ? restoredPath(status) : null;
  const action =
    path === null || browser === null
      ? null
      : {
          label: trans.__('Open folder'),
          callback: () => void app.commands.execute(CommandIDs.openHomeFolder, { path })
        };
  const problem = status.restored?.problem ?? '';
  if (!known || problem !== '') {
    const cause = known ? toldAll(problem, trans) : trans.__('Start the restore again.');
    return { type: 'error', message: `${trans.__('Not everything was restored.')} ${cause}`, action };
  }
  return { type: 'success', message: restored(status, language), action };
}
