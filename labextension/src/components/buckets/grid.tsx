import React from 'react';

import { reveal, visible } from '../../buckets/visible';
import { nextRow } from '../../keyboard';

/** Pixels, as in the style sheet. */
const ROW = 32;

export interface IRow {
  key: string;
  /** What letters jump by. */
  name: string;
  /** For readers: everything that the row says. */
  label: string;
  icon: React.ReactNode;
  cells: React.ReactNode[];
  actions: React.ReactNode;
}

export interface IGridProps {
  name: string;
  heads: {
    text: string;
    /** `count`: a number that goes where there is little room. */
    kind?: 'number' | 'count' | 'wide';
  }[];
  /** Which way the first column runs. */
  sort?: 'descending';
  rows: readonly IRow[];
  /** Whether more rows may follow than are known. */
  more: boolean;
  marked?: ReadonlySet<string>;
  onMark?: (key: string, marked: boolean) => void;
  onOpen: (key: string) => void;
  onMenu: (key: string, anchor: HTMLElement) => void;
  /** Another key pressed in a row: true when it was used. */
  onKey?: (key: string, pressed: React.KeyboardEvent) => boolean;
  /** Called when the last known rows come near. */
  onEnd?: () => void;
}

/** A long list in rows of one line: one stop for Tab; only the rows that can be seen are in the page. */
export function Grid(props: IGridProps): JSX.Element {
  const { rows, heads, more, onEnd } = props;
  const frame = React.useRef<HTMLDivElement>(null);
  const [active, setActive] = React.useState(0);
  const [seen, setSeen] = React.useState({ top: 0, height: 800 });
  const current = Math.max(0, Math.min(active, rows.length - 1));
  const range = visible(seen.top, seen.height, ROW, rows.length);

  const look = React.useCallback(() => {
    const { scrollTop: top, clientHeight: height } = frame.current!;
    setSeen(old => (old.top === top && old.height === height ? old : { top, height }));
  }, []);
  React.useLayoutEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  React.useEffect(() => {
    if (more && range.end === rows.length) {
      onEnd?.();
    }
  }, [more, range.end, rows.length, onEnd]);

  /** The active row is always drawn, so that it keeps the focus when it is scrolled away. */
  const drawn = Array.from({ length: range.end - range.first }, (_, n) => range.first + n);
  if (rows.length > 0 && (current < range.first || current >= range.end)) {
    drawn.push(current);
  }

  const wish = React.useRef(false);
  React.useLayoutEffect(() => {
    if (wish.current) {
      wish.current = false;
      frame.current!.querySelector<HTMLElement>(`[data-row="${current}"]`)?.focus({ preventScroll: true });
    }
  });
  const go = (row: number) => {
    const list = frame.current!;
    list.scrollTop = reveal(row, list.scrollTop, list.clientHeight - ROW, ROW);
    wish.current = true;
    setActive(row);
    look();
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const row = event.target as HTMLElement;
    const key = rows[current]?.key;
    if (!row.matches('[data-row]') || key === undefined) {
      return;
    }
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      event.preventDefault();
      props.onMenu(key, row);
    } else if (!event.altKey && !event.ctrlKey && !event.metaKey) {
      if (event.key === 'Enter') {
        event.preventDefault();
        props.onOpen(key);
      } else if (event.key === ' ' && props.onMark) {
        event.preventDefault();
        props.onMark(key, !props.marked?.has(key));
      } else if (props.onKey?.(key, event)) {
        event.preventDefault();
      } else {
        const next = nextRow(
          event.key,
          current,
          rows.map(({ name }) => name)
        );
        if (next !== null) {
          event.preventDefault();
          go(next);
        }
      }
    }
  };

  return (
    <div
      ref={frame}
      className="jp-Naas-grid"
      role="grid"
      aria-label={props.name}
      aria-rowcount={more ? -1 : rows.length + 1}
      aria-multiselectable={props.onMark ? true : undefined}
      onScroll={look}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" className="jp-Naas-gridHead">
        <div role="row" aria-rowindex={1} className="jp-Naas-gridRow">
          <span />
          {heads.map(({ text, kind }, n) => (
            <span
              key={text}
              role="columnheader"
              aria-sort={n === 0 ? (props.sort ?? 'ascending') : undefined}
              className={`jp-Naas-gridCell jp-mod-${kind ?? 'text'}`}
            >
              {text}
            </span>
          ))}
          <span />
        </div>
      </div>
      <div role="rowgroup" className="jp-Naas-gridBody" style={{ height: rows.length * ROW }}>
        {drawn.map(n => (
          <Row
            key={rows[n].key}
            {...props}
            row={rows[n]}
            index={n}
            active={n === current}
            onFocus={() => setActive(n)}
          />
        ))}
      </div>
    </div>
  );
}

function Row(
  props: IGridProps & { row: IRow; index: number; active: boolean; onFocus: () => void }
): JSX.Element {
  const { row, index, active, heads, marked, onMark, onOpen, onMenu } = props;
  const selected = marked?.has(row.key) ?? false;
  return (
    <div
      role="row"
      className={`jp-Naas-gridRow jp-mod-interactive ${selected ? 'jp-mod-selected' : ''}`}
      style={{ top: index * ROW }}
      aria-label={row.label}
      aria-rowindex={index + 2}
      aria-selected={onMark ? selected : undefined}
      tabIndex={active ? 0 : -1}
      data-row={index}
      data-key={row.key}
      onFocus={props.onFocus}
      onClick={event => {
        if (onMark && (event.ctrlKey || event.metaKey)) {
          onMark(row.key, !selected);
        }
      }}
      onDoubleClick={() => onOpen(row.key)}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation();
        onMenu(row.key, event.currentTarget);
      }}
    >
      <span
        role="gridcell"
        className="jp-Naas-gridIcon"
        onClick={event => {
          event.stopPropagation();
          onMark?.(row.key, !selected);
        }}
      >
        {row.icon}
        {onMark ? (
          <input type="checkbox" checked={selected} readOnly tabIndex={-1} aria-hidden="true" />
        ) : null}
      </span>
      {row.cells.map((cell, n) => (
        <span key={n} role="gridcell" className={`jp-Naas-gridCell jp-mod-${heads[n].kind ?? 'text'}`}>
          {cell}
        </span>
      ))}
      <span role="gridcell" className="jp-Naas-gridActions" onClick={event => event.stopPropagation()}>
        {row.actions}
      </span>
    </div>
  );
}
