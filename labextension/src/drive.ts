import { JupyterFrontEnd } from '@jupyterlab/application';
import { URLExt } from '@jupyterlab/coreutils';
import { FileBrowser, IFileBrowserFactory, Uploader } from '@jupyterlab/filebrowser';
import { Drive } from '@jupyterlab/services';
import { newFolderIcon, refreshIcon, ToolbarButton } from '@jupyterlab/ui-components';

import { bucketIcon } from './icons';
import type { NaasModel } from './model';
import { DRIVE_BROWSER_ID } from './tokens';
import type { ILanguage } from './words';

const NAME = 'cloud-storage';
const ENDPOINT = 'naas/api/drive';
/** Right below Lab's own file browser (100). */
const RANK = 101;

/** The person's buckets through the server, for machines that cannot mount folders. */
class CloudDrive extends Drive {
  override getDownloadUrl(localPath: string): Promise<string> {
    const { baseUrl } = this.serverSettings;
    return Promise.resolve(URLExt.join(baseUrl, ENDPOINT, 'files', URLExt.encodeParts(localPath)));
  }
}

/** Show a file browser of the drive as soon as the server says that this machine cannot mount folders. */
export function offerDrive(
  app: JupyterFrontEnd,
  factory: IFileBrowserFactory,
  model: NaasModel,
  { trans }: ILanguage
): void {
  const look = () => {
    if (model.storage.data?.code !== 'no-fuse') {
      return;
    }
    model.changed.disconnect(look);
    const { contents, serverSettings } = app.serviceManager;
    const drive = new CloudDrive({ name: NAME, apiEndpoint: `${ENDPOINT}/contents`, serverSettings });
    contents.addDrive(drive);
    const browser: FileBrowser = factory.createFileBrowser(DRIVE_BROWSER_ID, {
      driveName: NAME,
      restore: false
    });
    browser.title.icon = bucketIcon;
    browser.title.caption = trans.__('Files in cloud-storage');
    const tools = {
      folder: new ToolbarButton({
        icon: newFolderIcon,
        tooltip: trans.__('New folder'),
        onClick: () => void browser.createNewDirectory()
      }),
      upload: new Uploader({ model: browser.model }),
      refresh: new ToolbarButton({
        icon: refreshIcon,
        tooltip: trans.__('Refresh'),
        onClick: () => void browser.model.refresh()
      })
    };
    for (const [name, tool] of Object.entries(tools)) {
      browser.toolbar.addItem(name, tool);
    }
    drive.fileChanged.connect(() => void browser.model.refresh());
    app.shell.add(browser, 'left', { rank: RANK });
  };
  model.changed.connect(look);
}
