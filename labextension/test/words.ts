import type { ILanguage, IWords } from '../src/words';

function fill(text: string, args: unknown[]): string {
  return text
    .replace(/%%/g, '\0')
    .replace(/%(\d+)/g, (_, n) => String(args[Number(n) - 1]))
    .replace(/\0/g, '%');
}

/** English, with JupyterLab's rule that the number of a plural is %1. */
export const trans: IWords = {
  __: (text, ...args) => fill(text, args),
  _n: (one, many, n, ...args) => fill(n === 1 ? one : many, [n, ...args])
};

export const english: ILanguage = { trans, tag: 'en' };
export const italian: ILanguage = { trans, tag: 'it-IT' };
