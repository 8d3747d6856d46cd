/**
 * Names of buckets and objects: how they are taken apart, shown and checked. Keys are anybody's text.
 */
import type { IWords } from '../words';

/** Where the browser is: the list of buckets when `bucket` is empty; `prefix` is empty or ends in a slash. */
export interface IPlace {
  bucket: string;
  prefix: string;
}

export const BUCKETS: IPlace = { bucket: '', prefix: '' };

/** Bytes of a key that S3 allows, in UTF-8. */
const LONGEST_KEY = 1024;
/** Characters of a bucket's name that S3 allows. */
const LONGEST_NAME = 63;

/** The part of a key after its folder, without the slash of a folder's own. */
export function baseName(key: string): string {
  const own = key.endsWith('/') ? key.slice(0, -1) : key;
  return own.slice(own.lastIndexOf('/') + 1);
}

/** The folder that holds a key, with its slash. */
export function parentOf(key: string): string {
  const own = key.endsWith('/') ? key.slice(0, -1) : key;
  return own.slice(0, own.lastIndexOf('/') + 1);
}

/** The way from the bucket to a prefix; a key such as `a//b` has a step without a name. */
export function steps(prefix: string): { name: string; prefix: string }[] {
  const names = prefix.split('/').slice(0, -1);
  return names.map((name, n) => ({ name, prefix: `${names.slice(0, n + 1).join('/')}/` }));
}

/** A name on one line: control characters become their pictures, nothing has a name of its own. */
export function shown(name: string, trans: IWords): string {
  if (name === '') {
    return trans.__('(no name)');
  }
  return name.replace(/[\u0000-\u001f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt(0)));
}

/** What is wrong with the name of a new file or folder, or null. Parameters: `folder`, the prefix it goes to. */
export function nameProblem(name: string, folder: string, trans: IWords): string | null {
  if (name === '') {
    return trans.__('Give it a name.');
  }
  if (name.includes('/')) {
    return trans.__('A name has no slash. Make the outer folder first.');
  }
  if (name === '.' || name === '..') {
    return trans.__('Folders in notebooks cannot show this name. Choose another one.');
  }
  if (new TextEncoder().encode(`${folder}${name}/`).length > LONGEST_KEY) {
    return trans.__('Folder and name are longer than 1024 bytes. Choose a shorter name.');
  }
  return null;
}

/** What S3 refuses in a bucket's name, or null. Parameters: `own`, what follows the person's prefix. */
export function bucketProblem(prefix: string, own: string, trans: IWords): string | null {
  if (own === '') {
    return trans.__('Give it a name.');
  }
  if (!/^[a-z0-9-]+$/.test(own)) {
    return trans.__('Use small letters, digits and hyphens.');
  }
  if (own.endsWith('-')) {
    return trans.__('The last character is a letter or a digit.');
  }
  if ((prefix + own).length > LONGEST_NAME) {
    return trans.__('At most %1 characters fit after %2.', LONGEST_NAME - prefix.length, prefix);
  }
  return null;
}

/** Where a mounted folder is in the store. */
export function placeOf({ bucket, prefix }: { bucket: string; prefix: string }): IPlace {
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}
