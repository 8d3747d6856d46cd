import React from 'react';

import { nextRow } from '../keyboard';

/** Where a row stands, for who draws it. */
export interface IRowPlace {
  index: number;
  /** Tab leads to this one. */
  active: boolean;
  onFocus: () => void;
}

/**
 * Rows of several lines: one stop for Tab, arrows and letters inside.
 *
 * Parameters: `nameOf`, what letters jump by; `menu`, shows what can be done; `draw`, makes a row whose click opens it.
 */
export function RowGrid<T>(props: {
  name: string;
  items: readonly T[];
  nameOf: (item: T) => string;
  menu: (item: T, anchor: HTMLElement) => void;
  draw: (item: T, place: IRowPlace) => JSX.Element;
}): JSX.Element {
  const { name, items, nameOf, menu, draw } = props;
  const [active, setActive] = React.useState(0);
  const grid = React.useRef<HTMLDivElement>(null);
  const current = Math.min(active, items.length - 1);

  const onKeyDown = (event: React.KeyboardEvent) => {
    const row = grid.current?.children[current] as HTMLElement;
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      event.preventDefault();
      menu(items[current], row);
      return;
    }
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== row) {
      return;
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      row.click();
      return;
    }
    const next = nextRow(event.key, current, items.map(nameOf));
    if (next !== null) {
      event.preventDefault();
      (grid.current?.children[next] as HTMLElement).focus();
    }
  };

  return (
    <div ref={grid} role="grid" aria-label={name} aria-rowcount={items.length} onKeyDown={onKeyDown}>
      {items.map((item, index) =>
        draw(item, { index, active: index === current, onFocus: () => setActive(index) })
      )}
    </div>
  );
}
