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

/**
 * Several sentences that a server put together, each in this person's language if we know it. Parameters: `text`, in which a
 * sentence may hold a full stop: the longest pieces that are known come first.
 */
export function toldAll(text: string, trans: IWords): string {
  const pieces = text.split(/(?<=\.) (?=[A-Z])/);
  const said: string[] = [];
  for (let first = 0; first < pieces.length;) {
    let end = pieces.length;
    let piece = pieces.slice(first, end).join(' ');
    while (end > first + 1 && told(piece, trans) === piece) {
      end -= 1;
      piece = pieces.slice(first, end).join(' ');
    }
    said.push(told(piece, trans));
    first = end;
  }
  return said.join(' ');
}

/** A whole sentence that a server said, in this person's language if we know it; a `%` in it is only a `%`. */
export function told(sentence: string, trans: IWords): string {
  return trans.__(sentence.replace(/%/g, '%%'));
}
