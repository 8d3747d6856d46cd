export interface IDropped {
  /** Path below what was dropped: `run/hits.csv`. */
  path: string;
  file: File;
}

function entries(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  return new Promise((resolve, reject) => {
    // A reader gives at most some hundred entries at a time, and an empty list at the end.
    const next = () =>
      reader.readEntries(some => {
        all.push(...some);
        some.length > 0 ? next() : resolve(all);
      }, reject);
    next();
  });
}

async function filesOf(entry: FileSystemEntry): Promise<IDropped[]> {
  if (entry.isDirectory) {
    const inside = await entries(entry as FileSystemDirectoryEntry);
    return (await Promise.all(inside.map(filesOf))).flat();
  }
  const file = await new Promise<File>((resolve, reject) =>
    (entry as FileSystemFileEntry).file(resolve, reject)
  );
  return [{ path: entry.fullPath.replace(/^\//, ''), file }];
}

/** The files that were dropped, those in folders too. */
export async function droppedFiles(data: DataTransfer): Promise<IDropped[]> {
  const dropped = Array.from(data.items).filter(({ kind }) => kind === 'file');
  // Both are asked for now: after the first pause the browser takes them away.
  const found = dropped.map(item => [item.webkitGetAsEntry(), item.getAsFile()] as const);
  const lists = await Promise.all(
    found.map(async ([entry, file]) => {
      if (entry !== null) {
        return filesOf(entry);
      }
      return file === null ? [] : [{ path: file.name, file }];
    })
  );
  return lists.flat();
}
