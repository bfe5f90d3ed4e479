import { terminalLine } from "@fleet/domain/text";
import type { FlagSpec } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "./output.ts";
import { formatTable } from "./table.ts";

/** Columns of a list: a cell of a row by the field's name. */
export type Columns<Row> = Readonly<Record<string, (row: Row, full: boolean) => string>>;

/** How a list paints a cell of a field on a terminal that has colours; null: as the terminal does. */
export type Paint = (field: string, cell: string) => "red" | "green" | "yellow" | null;

/** How a list is to be printed. */
export interface ListOptions {
  readonly fields: readonly string[];
  readonly isFull: boolean;
  readonly hasLegend: boolean;
  readonly isJson: boolean;
}

/** Flags of every list. */
export function listFlags(fields: string): readonly FlagSpec[] {
  return [
    { flags: "--fields <names>", description: "Columns to show, comma-separated", default: fields },
    { flags: "-l, --full", description: "Do not shorten machine IDs and hashes" },
    { flags: "--no-legend", description: "Do not print the header" },
    OUTPUT_FLAG,
  ];
}

/** Reads the flags of a list. An unknown field is an error. */
export function readListOptions<Row>(columns: Columns<Row>, flags: Readonly<Record<string, unknown>>): ListOptions {
  const fields = String(flags.fields).split(",");
  const unknown = fields.find((field) => !Object.hasOwn(columns, field));
  if (unknown !== undefined)
    throw new CommandError(
      `Invalid key in output format: ${JSON.stringify(unknown)}: expected some of ${Object.keys(columns).join(", ")}`,
    );
  return { fields, isFull: flags.full === true, hasLegend: flags.legend !== false, isJson: readOutput(flags) };
}

/** Prints rows under a header in capitals, empty cells as `-`; or as JSON, each row with all that is known of it. */
export function printList<Row>(
  context: Context,
  columns: Columns<Row>,
  rows: readonly Row[],
  options: ListOptions,
  asJson: (row: Row) => unknown,
  paint: Paint = () => null,
): void {
  if (options.isJson) return printJson(context, rows.map(asJson));
  const table = cellsOf(columns, rows, options);
  if (options.hasLegend) table.unshift(options.fields.map((field) => field.toUpperCase()));
  const painter = context.terminal?.hasColors === true ? painterOf(options, paint) : undefined;
  context.write(formatTable(table, [], painter));
}

/** The cells of rows, in the order of the fields that are asked for, each a piece of one line. */
export function cellsOf<Row>(columns: Columns<Row>, rows: readonly Row[], { fields, isFull }: ListOptions): string[][] {
  return rows.map((row) => fields.map((field) => terminalLine(columns[field]?.(row, isFull) || "-")));
}

const CODES = { red: 31, green: 32, yellow: 33 } as const;

function painterOf(
  { fields, hasLegend }: ListOptions,
  paint: Paint,
): (row: number, column: number, cell: string) => string {
  return (row, column, cell) => {
    const color = hasLegend && row === 0 ? null : paint(fields[column] ?? "", cell);
    return color === null ? cell : `\u001b[${CODES[color]}m${cell}\u001b[0m`;
  };
}
