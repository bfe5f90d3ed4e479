const TAB = 8;

/**
 * Lines up rows as the old fleetctl does, by Go's text/tabwriter: cells end in tabs, and are as wide as the widest of
 * their column and one more, rounded up to a tab stop.
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Math.ceil((width(cell) + 1) / TAB) * TAB);
    }
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => {
        if (column === row.length - 1) return cell;
        const missing = (widths[column] ?? 0) - width(cell);
        return cell + "\t".repeat(Math.ceil(missing / TAB));
      });
      return `${cells.join("")}\n`;
    })
    .join("");
}

function width(text: string): number {
  return [...text].length;
}
