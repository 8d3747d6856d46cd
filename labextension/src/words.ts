/**
 * The part of JupyterLab's translation bundle that we use, so that modules without a browser can be tested alone.
 */
export interface IWords {
  __(msgid: string, ...args: unknown[]): string;
  _n(singular: string, plural: string, n: number, ...args: unknown[]): string;
}

/** How texts and numbers are written for this person. */
export interface ILanguage {
  readonly trans: IWords;
  /** BCP 47 tag, for `Intl`. */
  readonly tag: string;
}

/** A whole sentence that a server said, in this person's language if we know it; a `%` in it is only a `%`. */
export function told(sentence: string, trans: IWords): string {
  return trans.__(sentence.replace(/%/g, '%%'));
}
