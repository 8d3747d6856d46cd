import { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IFolder } from './documents';
import { NaasModel } from './model';
import { listFolder } from './snippets';
import { CommandIDs, PANEL_ID } from './tokens';
import { NaasPanel } from './widgets/panel';
import type { ILanguage } from './words';

export interface IParts {
  app: JupyterFrontEnd;
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

/** A new cell below the active one; it is not run. */
function insertCode({ notebooks, model }: IParts, args: ReadonlyPartialJSONObject): void {
  const folder = folderOf(model, args);
  const notebook = notebooks?.currentWidget?.content;
  if (folder && notebook) {
    NotebookActions.insertBelow(notebook);
    notebook.activeCell?.model.sharedModel.setSource(listFolder(folder));
    notebook.activate();
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
    execute: args => insertCode(parts, args)
  });
  commands.addCommand(CommandIDs.openFolder, {
    label: trans.__('Open in File Browser'),
    isEnabled: args => parts.browser !== null && Boolean(folderOf(model, args)?.browser_path),
    execute: args => openFolder(parts, args)
  });
  commands.addCommand(CommandIDs.copyPath, {
    label: trans.__('Copy Path'),
    execute: args => Clipboard.copyToSystem(folderOf(model, args)?.path ?? '')
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
    CommandIDs.refresh,
    CommandIDs.about
  ]) {
    palette?.addItem({ command, category });
  }
}
