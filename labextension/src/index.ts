import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { addBackup } from './backupCommands';
import { addBuckets } from './bucketCommands';
import { BucketBrowser } from './buckets/browser';
import { BucketStore } from './buckets/store';
import { addChecks, tellChecks } from './checkCommands';
import { addCommands, insertCode } from './commands';
import type { IOpen } from './components/panel';
import { offerDrive } from './drive';
import { NaasModel } from './model';
import { EventStream } from './stream';
import { Toasts } from './toasts';
import { CommandIDs, DOMAIN, PANEL_ID, PLUGIN_ID, STATUS_ID } from './tokens';
import { NaasPanel } from './widgets/panel';
import { StatusItem } from './widgets/statusItem';

/** After Running Terminals and Kernels (200), before the table of contents (400). */
const RANK = 250;
/** Where it is kept that people were told how full their bucket is. */
const TOLD = `${PLUGIN_ID}:told`;
declare function require(path: string): { version: string };
const VERSION = require('../package.json').version;

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Cloud storage and service status in the sidebar',
  autoStart: true,
  optional: [
    ITranslator,
    ICommandPalette,
    ILabShell,
    ILayoutRestorer,
    IStatusBar,
    IStateDB,
    IDefaultFileBrowser,
    INotebookTracker,
    IFileBrowserFactory,
    ILauncher
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    stateDB: IStateDB | null,
    browser: IDefaultFileBrowser | null,
    notebooks: INotebookTracker | null,
    browsers: IFileBrowserFactory | null,
    launcher: ILauncher | null
  ) => {
    const languages = translator ?? nullTranslator;
    const language = { trans: languages.load(DOMAIN), tag: languages.languageCode };
    const api = new Api(app.serviceManager.serverSettings);
    const model = new NaasModel(api, new EventStream(api));
    const panel = new NaasPanel({
      model,
      language,
      commands: app.commands,
      onOpen: open => void stateDB?.save(PLUGIN_ID, { ...open }),
      leave: () => labShell?.currentWidget?.activate()
    });
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, PANEL_ID);
    void stateDB?.fetch(PLUGIN_ID).then(open => panel.setOpen((open ?? {}) as Partial<IOpen>));

    const parts = { app, api, model, panel, language, version: VERSION, browser, notebooks };
    addCommands(parts, palette);
    const buckets = new BucketBrowser(new BucketStore(api));
    addBuckets({ app, browser: buckets, model, language, palette, launcher, restorer });
    addBackup({ app, model, language, palette, browser, restorer });
    const insert = (code: string) => insertCode(parts, code);
    addChecks({ app, model, panel, language, palette, launcher, restorer, insert });
    tellChecks(model, language, place => void app.commands.execute(CommandIDs.openCheck, { ...place }));
    const show = () => void app.commands.execute(CommandIDs.showStorage);
    statusBar?.registerStatusItem(STATUS_ID, {
      item: new StatusItem(model, language, show),
      align: 'right',
      rank: 90
    });
    if (browsers) {
      offerDrive(app, browsers, model, language);
    }
    const actions = {
      showPanel: show,
      retryUploads: () => void app.commands.execute(CommandIDs.retryUploads),
      browseBuckets: () => void app.commands.execute(CommandIDs.browseBuckets)
    };
    void Promise.resolve(stateDB?.fetch(TOLD)).then(level => {
      const save = (reached: number) => void stateDB?.save(TOLD, reached);
      new Toasts(model, language, actions, { level: typeof level === 'number' ? level : 0, save });
    });
  }
};

export default plugin;
