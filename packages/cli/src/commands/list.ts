import type { FlagSpec } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { formatTable } from "../table.ts";

/** Columns of a list: a cell of a row by the field's name. */
export type Columns<Row> = Readonly<Record<string, (row: Row, full: boolean) => string>>;

/** Flags of every list. */
export function listFlags(fields: string): readonly FlagSpec[] {
  return [
    { flags: "--fields <names>", description: "Columns to show, comma-separated", default: fields },
    { flags: "-l, --full", description: "Do not shorten machine IDs and hashes" },
    { flags: "--no-legend", description: "Do not print the header" },
  ];
}

/** Prints rows under a header in capitals; empty cells show `-`. */
export function printList<Row>(
  context: Context,
  columns: Columns<Row>,
  rows: readonly Row[],
  flags: Readonly<Record<string, unknown>>,
): void {
  const fields = String(flags.fields).split(",");
  const readers = fields.map((field) => {
    const reader = Object.hasOwn(columns, field) ? columns[field] : undefined;
    if (reader === undefined) throw new CommandError(`Invalid key in output format: ${JSON.stringify(field)}`);
    return reader;
  });
  const isFull = flags.full === true;
  const table = rows.map((row) => readers.map((reader) => reader(row, isFull) || "-"));
  if (flags.legend !== false) table.unshift(fields.map((field) => field.toUpperCase()));
  context.write(formatTable(table));
}
