/** Rows beyond the edges that are drawn too, so that scrolling shows no gaps. */
const SPARE = 12;

export interface IVisible {
  first: number;
  /** The row after the last one. */
  end: number;
}

/** The rows of a long list that are to be drawn. Parameters: all in pixels but `rows`. */
export function visible(top: number, height: number, rowHeight: number, rows: number): IVisible {
  const first = Math.max(0, Math.floor(top / rowHeight) - SPARE);
  const end = Math.min(rows, Math.ceil((top + height) / rowHeight) + SPARE);
  return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row can be seen; `top` when it can be already. */
export function reveal(row: number, top: number, height: number, rowHeight: number): number {
  const start = row * rowHeight;
  if (start < top) {
    return start;
  }
  return start + rowHeight > top + height ? start + rowHeight - height : top;
}
