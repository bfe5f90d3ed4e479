const TAB = 8;

/**
 * Lines up rows as the old fleetctl does, by Go's text/tabwriter: cells end in tabs, and are as wide as the widest of
 * their column and one more, rounded up to a tab stop.
 *
 * @param widths least widths of columns
 * @param paint what is written in a cell's place, as wide as it on a screen
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  widths: readonly number[] = [],
  paint: (row: number, column: number, cell: string) => string = (_row, _column, cell) => cell,
): string {
  const wide = tableWidths(rows, widths);
  return rows
    .map((row, index) => {
      const cells = row.map((cell, column) => {
        const shown = paint(index, column, cell);
        if (column === row.length - 1) return shown;
        return shown + "\t".repeat(Math.ceil(((wide[column] ?? 0) - width(cell)) / TAB));
      });
      return `${cells.join("")}\n`;
    })
    .join("");
}

/** How wide the columns of a table are, the last one aside; rows that are added later may be given these. */
export function tableWidths(rows: readonly (readonly string[])[], least: readonly number[] = []): readonly number[] {
  const widths = [...least];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Math.ceil((width(cell) + 1) / TAB) * TAB);
    }
  }
  return widths;
}

function width(text: string): number {
  return [...text].length;
}
