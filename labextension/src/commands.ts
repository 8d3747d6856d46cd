import { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { Api, asFailure } from './api';
import { placeOf } from './buckets/keys';
import { BucketStore } from './buckets/store';
import type { IFolder } from './documents';
import { age, count } from './formats';
import { NaasModel } from './model';
import { ownFolder, used } from './quota';
import { listFolder, readFile, readObject } from './snippets';
import { failedUploads } from './summary';
import { CommandIDs, PANEL_ID } from './tokens';
import { NaasPanel } from './widgets/panel';
import { ILanguage, told } from './words';

export interface IParts {
  app: JupyterFrontEnd;
  api: Api;
  model: NaasModel;
  panel: NaasPanel;
  language: ILanguage;
  version: string;
  browser: IDefaultFileBrowser | null;
  notebooks: INotebookTracker | null;
}

function folderOf(model: NaasModel, args: ReadonlyPartialJSONObject): IFolder | null {
  const folders = model.storage.data?.folders ?? [];
  if (typeof args.name === 'string') {
    return folders.find(folder => folder.name === args.name) ?? null;
  }
  return folders.find(folder => !folder.read_only) ?? folders[0] ?? null;
}

/** Show a folder, or the folder of a file in it with the file selected. */
async function openFolder(parts: IParts, args: ReadonlyPartialJSONObject): Promise<void> {
  const folder = folderOf(parts.model, args);
  const { browser, app } = parts;
  if (browser === null || !folder?.browser_path) {
    return;
  }
  app.shell.activateById(browser.id);
  const file = typeof args.file === 'string' ? args.file : '';
  await browser.model.cd(`/${PathExt.join(folder.browser_path, PathExt.dirname(file))}`);
  if (file) {
    await browser.selectItemByName(PathExt.basename(file));
  }
}

/** A new cell below the active one; it is not run. Without a notebook the code goes to the clipboard. */
export async function insertCode({ notebooks, app, language }: IParts, code: string): Promise<void> {
  const panel = notebooks?.currentWidget;
  if (!panel) {
    Clipboard.copyToSystem(code);
    Notification.info(language.trans.__('No notebook is open. The code is in your clipboard.'), {
      autoClose: 5000
    });
    return;
  }
  await panel.revealed; // what is inserted before the file is read is lost
  NotebookActions.insertBelow(panel.content);
  panel.content.activeCell?.model.sharedModel.setSource(code);
  app.shell.activateById(panel.id);
}

/** The file that is chosen in the file browser, if it is in one of our folders: its path in the person's world. */
function chosenFile({ browser, model }: IParts): string | null {
  const item = browser?.selectedItems().next().value;
  if (!item || item.type === 'directory') {
    return null;
  }
  for (const { browser_path, path } of model.storage.data?.folders ?? []) {
    if (browser_path !== null && item.path.startsWith(`${browser_path}/`)) {
      return path + item.path.slice(browser_path.length);
    }
  }
  return null;
}

/** Do something to the storage; a refusal is said, not swallowed. */
async function act(work: Promise<unknown>, { trans }: ILanguage): Promise<void> {
  try {
    await work;
  } catch (error) {
    Notification.error(told(asFailure(error).message, trans), { autoClose: false });
  }
}

/** How much of a folder's bucket is used. */
async function showUsage({ api, model, language, app }: IParts, folder: IFolder): Promise<void> {
  const { trans, tag } = language;
  const status = model.storage.data!;
  const { bucket } = placeOf(folder);
  const known = folder === ownFolder(status) ? status.usage : null;
  const usage = known ?? (await new BucketStore(api).bucket(bucket)).usage;
  const lines =
    usage === null
      ? [trans.__('The store does not say how much is used.')]
      : [
          trans.__('%1 used.', used(usage, language)),
          ...(usage.objects === null
            ? []
            : [trans._n('1 object.', '%2 objects.', usage.objects, count(usage.objects, tag))]),
          usage.source === 'store'
            ? trans.__('The store said so %1.', age(new Date(usage.at), new Date(), language))
            : trans.__('Counted %1.', age(new Date(usage.at), new Date(), language))
        ];
  const browse = Dialog.createButton({ label: trans.__('Browse buckets') });
  const { button } = await showDialog({
    title: trans.__('Usage of %1', bucket),
    body: lines.join(' '),
    buttons: [browse, Dialog.okButton({ label: trans.__('Close') })]
  });
  if (button.label === browse.label) {
    await app.commands.execute(CommandIDs.browseBuckets, { bucket });
  }
}

async function about({ model, language, version }: IParts): Promise<void> {
  const { trans } = language;
  const lines = [
    trans.__('Panel: %1', version),
    trans.__('Platform: %1', model.health.data?.version ?? trans.__('not connected')),
    trans.__('Mount program: %1', model.storage.data?.engine || trans.__('none'))
  ];
  const copy = Dialog.createButton({ label: trans.__('Copy details') });
  const { button } = await showDialog({
    title: trans.__('About NaaS'),
    body: lines.join(' · '),
    buttons: [copy, Dialog.okButton({ label: trans.__('Close') })]
  });
  if (button.label === copy.label) {
    Clipboard.copyToSystem(lines.join('\n'));
  }
}

/** The commands of the panel, and those that belong in the palette. */
export function addCommands(parts: IParts, palette: ICommandPalette | null): void {
  const { app, model, panel, language } = parts;
  const { commands } = app;
  const { trans } = language;

  commands.addCommand(CommandIDs.showStorage, {
    label: trans.__('Show Storage'),
    execute: () => {
      panel.setOpen({ storage: true });
      app.shell.activateById(PANEL_ID);
    }
  });
  commands.addCommand(CommandIDs.showStatus, {
    label: trans.__('Show Service Status'),
    execute: () => {
      panel.setOpen({ services: true });
      app.shell.activateById(PANEL_ID);
    }
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Storage and Services'),
    execute: () => model.refresh()
  });
  commands.addCommand(CommandIDs.insertCode, {
    label: args => (args.menu ? trans.__('Insert Code') : trans.__('Insert Code for Storage')),
    isEnabled: args => Boolean(parts.notebooks?.currentWidget) && folderOf(model, args) !== null,
    execute: async args => {
      const folder = folderOf(model, args);
      if (folder) {
        await insertCode(parts, listFolder(folder));
      }
    }
  });
  commands.addCommand(CommandIDs.insertObjectCode, {
    label: trans.__('Insert Code to Read This File'),
    execute: ({ bucket, key }) => insertCode(parts, readObject(String(bucket), String(key)))
  });
  commands.addCommand(CommandIDs.insertFileCode, {
    label: trans.__('Insert Code to Read This File'),
    isVisible: () => chosenFile(parts) !== null,
    execute: async () => {
      const file = chosenFile(parts);
      if (file !== null) {
        await insertCode(parts, readFile(file));
      }
    }
  });
  app.contextMenu.addItem({
    command: CommandIDs.insertFileCode,
    selector: '.jp-DirListing-item[data-isdir="false"]',
    rank: 6
  });
  commands.addCommand(CommandIDs.openFolder, {
    label: trans.__('Open in File Browser'),
    isEnabled: args => parts.browser !== null && Boolean(folderOf(model, args)?.browser_path),
    execute: args => openFolder(parts, args)
  });
  commands.addCommand(CommandIDs.copyPath, {
    label: trans.__('Copy Path'),
    execute: args =>
      Clipboard.copyToSystem(typeof args.text === 'string' ? args.text : (folderOf(model, args)?.path ?? ''))
  });
  commands.addCommand(CommandIDs.usage, {
    label: trans.__('Usage…'),
    isEnabled: args => folderOf(model, args) !== null,
    execute: args => act(showUsage(parts, folderOf(model, args)!), language)
  });
  commands.addCommand(CommandIDs.reconnect, {
    label: args => (args.menu ? trans.__('Reconnect') : trans.__('Reconnect Folders')),
    isEnabled: () => (model.storage.data?.folders.length ?? 0) > 0,
    execute: ({ name }) => {
      const all = model.storage.data?.folders.map(folder => folder.name) ?? [];
      const names = typeof name === 'string' ? [name] : all;
      return act(Promise.all(names.map(folder => model.reconnect(folder))), language);
    }
  });
  commands.addCommand(CommandIDs.retryUploads, {
    label: trans.__('Retry Failed Uploads'),
    isEnabled: () => model.storage.data !== null && failedUploads(model.storage.data).length > 0,
    execute: () => act(model.retryUploads(), language)
  });
  commands.addCommand(CommandIDs.about, {
    label: trans.__('About NaaS…'),
    execute: () => about(parts)
  });

  const category = trans.__('NaaS');
  for (const command of [
    CommandIDs.showStorage,
    CommandIDs.showStatus,
    CommandIDs.insertCode,
    CommandIDs.retryUploads,
    CommandIDs.reconnect,
    CommandIDs.refresh,
    CommandIDs.about
  ]) {
    palette?.addItem({ command, category });
  }
}
