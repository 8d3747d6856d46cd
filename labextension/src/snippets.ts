import type { IFolder } from './documents';

/** Python that lists a folder: the same path works in every kernel of this server. */
export function listFolder(folder: IFolder): string {
  return [
    'from pathlib import Path',
    '',
    `folder = Path(${JSON.stringify(folder.path)})`,
    'for path in sorted(folder.iterdir()):',
    '    print(path.name)'
  ].join('\n');
}
