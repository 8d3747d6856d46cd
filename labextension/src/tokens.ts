/** Names that other extensions, shortcuts and tests may rely on. */
export const PLUGIN_ID = 'jupyterlab-naas:plugin';
export const PANEL_ID = 'jp-naas-panel';
export const BUCKETS_ID = 'jp-naas-buckets';
export const BACKUPS_ID = 'jp-naas-backups';
export const CHECK_ID = 'jp-naas-check';
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
  export const usage = 'naas:folder-usage';
  export const reconnect = 'naas:reconnect';
  export const retryUploads = 'naas:retry-uploads';
  export const browseBuckets = 'naas:browse-buckets';
  export const backUp = 'naas:back-up';
  export const restoreBackup = 'naas:restore-backup';
  export const openHomeFolder = 'naas:open-home-folder';
  export const backupSettings = 'naas:backup-settings';
  export const insertObjectCode = 'naas:insert-object-code';
  export const insertFileCode = 'naas:insert-file-code';
  export const showChecks = 'naas:show-healthchecks';
  export const newCheck = 'naas:new-healthcheck';
  export const openCheck = 'naas:open-healthcheck';
  export const insertCheckCode = 'naas:insert-healthcheck-code';
  export const addCheckProject = 'naas:add-healthcheck-project';
  export const about = 'naas:about';
}
