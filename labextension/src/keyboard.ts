/**
 * Where a key moves the focus in a list: the grid pattern of WAI-ARIA, and letters that jump to the next name.
 */

const PAGE = 10;

/** The new row, or null when the key does not move. Parameters: `names`, what letters jump by. */
export function nextRow(key: string, row: number, names: readonly string[]): number | null {
  const last = names.length - 1;
  const clamp = (index: number) => Math.min(last, Math.max(0, index));
  switch (key) {
    case 'ArrowDown':
      return clamp(row + 1);
    case 'ArrowUp':
      return clamp(row - 1);
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'PageDown':
      return clamp(row + PAGE);
    case 'PageUp':
      return clamp(row - PAGE);
    default:
      return Array.from(key).length === 1 && key !== ' ' ? jump(key, row, names) : null;
  }
}

function jump(letter: string, row: number, names: readonly string[]): number | null {
  const wanted = letter.toLocaleLowerCase();
  for (let step = 1; step <= names.length; step += 1) {
    const index = (row + step) % names.length;
    if (names[index].toLocaleLowerCase().startsWith(wanted)) {
      return index;
    }
  }
  return null;
}
