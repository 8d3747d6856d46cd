/**
 * The closed lists of words for states. An unknown raw state is shown as unknown, never as good or empty.
 */
import type { IFolder, IPart, IUpload } from './documents';
import type { IWords } from './words';

export type Look = 'ok' | 'busy' | 'warn' | 'bad' | 'off' | 'waiting' | 'unknown';

export interface IShown {
  look: Look;
  word: string;
}

function unknown(raw: string, trans: IWords): IShown {
  return { look: 'unknown', word: trans.__('Unknown state: %1', raw) };
}

export function folderState(state: IFolder['state'], trans: IWords): IShown {
  switch (state) {
    case 'ok':
      return { look: 'ok', word: trans.__('Connected') };
    case 'connecting':
      return { look: 'busy', word: trans.__('Connecting') };
    case 'reconnecting':
      return { look: 'busy', word: trans.__('Reconnecting') };
    case 'refused':
      return { look: 'bad', word: trans.__('Writes refused') };
    case 'down':
      return { look: 'bad', word: trans.__('Not connected') };
    case 'off':
      return { look: 'off', word: trans.__('Not in use') };
    default:
      return unknown(String(state), trans);
  }
}

export function uploadState(state: IUpload['state'], trans: IWords): IShown {
  switch (state) {
    case 'waiting':
      return { look: 'waiting', word: trans.__('Waiting') };
    case 'uploading':
      return { look: 'busy', word: trans.__('Uploading') };
    case 'failed':
      return { look: 'bad', word: trans.__('Not saved') };
    default:
      return unknown(String(state), trans);
  }
}

export function partState(state: IPart['state'], trans: IWords): IShown {
  switch (state) {
    case 'ok':
      return { look: 'ok', word: trans.__('Answers') };
    case 'starting':
      return { look: 'busy', word: trans.__('Starting') };
    case 'degraded':
      return { look: 'warn', word: trans.__('Limited') };
    case 'down':
      return { look: 'bad', word: trans.__('Does not answer') };
    case 'stopped':
      return { look: 'off', word: trans.__('Stopped') };
    default:
      return unknown(String(state), trans);
  }
}

/** What the platform's parts are called; a part we do not know keeps its own name. */
export function partName(name: string, trans: IWords): string {
  switch (name) {
    case 'gateway':
      return trans.__('Platform');
    case 'database':
      return trans.__('Database');
    case 'iam':
      return trans.__('Sign-in');
    case 'sts':
      return trans.__('Storage access');
    case 'store':
      return trans.__('Object store');
    case 'hub':
      return trans.__('Hub');
    default:
      return name;
  }
}

export function rights(folder: IFolder, trans: IWords): string {
  return folder.read_only ? trans.__('Read only') : trans.__('Read and write');
}
