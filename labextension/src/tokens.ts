/** Names that other extensions, shortcuts and tests may rely on. */
export const PLUGIN_ID = 'jupyterlab-naas:plugin';
export const PANEL_ID = 'jp-naas-panel';
export const DRIVE_BROWSER_ID = 'jp-naas-drive';
export const STATUS_ID = 'jupyterlab-naas:status';
export const DOMAIN = 'jupyterlab_naas';

export namespace CommandIDs {
  export const showStorage = 'naas:show-storage';
  export const showStatus = 'naas:show-service-status';
  export const refresh = 'naas:refresh';
  export const insertCode = 'naas:insert-storage-code';
  export const openFolder = 'naas:open-folder';
  export const copyPath = 'naas:copy-path';
  export const about = 'naas:about';
}
