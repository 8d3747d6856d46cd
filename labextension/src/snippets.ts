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

/** What is imported, and how an open binary file becomes a value. */
type Reader = [imports: string, read: string];

const TEXT: Reader = ['', 'text = file.read().decode()'];
const IMAGE: Reader = ['from PIL import Image', 'image = Image.open(file).copy()'];
const PANDAS = 'import pandas as pd';
const READERS: Record<string, Reader> = {
  csv: [PANDAS, 'table = pd.read_csv(file)'],
  tsv: [PANDAS, 'table = pd.read_csv(file, sep="\\t")'],
  parquet: [PANDAS, 'table = pd.read_parquet(file)'],
  feather: [PANDAS, 'table = pd.read_feather(file)'],
  arrow: [PANDAS, 'table = pd.read_feather(file)'],
  xlsx: [PANDAS, 'table = pd.read_excel(file)'],
  jsonl: [PANDAS, 'table = pd.read_json(file, lines=True)'],
  ndjson: [PANDAS, 'table = pd.read_json(file, lines=True)'],
  json: ['import json', 'value = json.load(file)'],
  ipynb: ['import json', 'notebook = json.load(file)'],
  npy: ['import numpy as np', 'array = np.load(file)'],
  npz: ['import numpy as np', 'arrays = dict(np.load(file))'],
  h5: ['import h5py', 'h5py.File(file).visit(print)'],
  hdf5: ['import h5py', 'h5py.File(file).visit(print)'],
  root: ['import uproot', 'print(uproot.open(file).keys())'],
  png: IMAGE,
  jpg: IMAGE,
  jpeg: IMAGE,
  tif: IMAGE,
  txt: TEXT,
  log: TEXT,
  md: TEXT,
  py: TEXT,
  yaml: TEXT,
  yml: TEXT
};

function reader(name: string): Reader {
  const type = /\.([^./]+)$/.exec(name)?.[1].toLowerCase() ?? '';
  return Object.hasOwn(READERS, type) ? READERS[type] : ['', 'data = file.read()'];
}

/** Python that reads an object straight from the store, in a kernel on this server. */
export function readObject(bucket: string, key: string): string {
  const [imports, read] = reader(key);
  return [
    ...(imports ? [imports] : []),
    'import naas_storage',
    '',
    'fs = naas_storage.filesystem()',
    `with fs.open(${JSON.stringify(`${bucket}/${key}`)}, "rb") as file:`,
    `    ${read}`
  ].join('\n');
}

/** Python that reads a file of a mounted folder. Parameters: `path`, absolute. */
export function readFile(path: string): string {
  const [imports, read] = reader(path);
  return [
    ...(imports ? [imports, ''] : []),
    `with open(${JSON.stringify(path)}, "rb") as file:`,
    `    ${read}`
  ].join('\n');
}
