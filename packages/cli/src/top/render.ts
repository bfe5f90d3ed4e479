import { terminalLine } from "@fleet/domain/text";
import { bytesText } from "../printing/amounts.ts";
import { cell, percent } from "./figures.ts";
import type { MachineUsage, UnitUsage, Usage } from "./usage.ts";
import type { View } from "./view.ts";

/** The screen that is drawn on. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
  readonly hasColors: boolean;
}

/** A column of a table; its first one takes the room that is left. */
interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly align: "left" | "right";
  readonly text: (row: Row) => string;
}

const right = <Row>(title: string, width: number, text: (row: Row) => string): Column<Row> => ({
  ...{ title, width, align: "right", text },
});
const left = <Row>(title: string, width: number, text: (row: Row) => string): Column<Row> => ({
  ...{ title, width, align: "left", text },
});

/** The width of bytes, which are `1023.9M` at most; null: systemd does not account them. */
const BYTES = 7;
const bytes = (value: number | null): string => (value === null ? "-" : bytesText(value));

const machineName = ({ hostname, id }: { readonly hostname: string | null; readonly id: string }): string =>
  terminalLine(hostname ?? id.slice(0, 8));

const MACHINE_COLUMNS: readonly Column<MachineUsage>[] = [
  left("MACHINE", 0, machineName),
  right("CPU%", 6, ({ cpu }) => percent(cpu)),
  right("CPUS", 4, ({ cpus }) => String(cpus)),
  right("LOAD", 6, ({ load }) => load?.toFixed(2) ?? "-"),
  right("MEM", BYTES, ({ memory }) => bytes(memory)),
  right("OF", BYTES, ({ memoryTotal }) => bytes(memoryTotal)),
  right("WAIT% CPU", 9, ({ pressure }) => percent(pressure?.cpu ?? null)),
  right("MEM", 5, ({ pressure }) => percent(pressure?.memory ?? null)),
  right("IO", 5, ({ pressure }) => percent(pressure?.io ?? null)),
  right("UNITS", 5, ({ units }) => String(units)),
  right("FAILED", 6, ({ failed }) => String(failed)),
];

const UNIT_COLUMNS: readonly Column<UnitUsage>[] = [
  left("UNIT", 0, ({ name }) => terminalLine(name)),
  left("MACHINE", 12, ({ hostname, machineID }) => machineName({ hostname, id: machineID })),
  left("STATE", 12, ({ active, sub }) => terminalLine(active === "active" ? sub : active)),
  right("CPU%", 6, ({ cpu }) => percent(cpu)),
  right("MEM", BYTES, ({ memory }) => bytes(memory)),
  right("TASKS", 5, ({ tasks }) => (tasks === null ? "-" : String(tasks))),
  right("IO/S", BYTES, ({ io }) => bytes(io)),
];

/** Rows that machines may take of the screen while units have the focus. */
const MACHINE_SHARE = 1 / 3;
/** Lines that are no rows: the summary, two headings, and the keys. */
const FRAME = 4;
const KEYS =
  "q quit  c cpu  m memory  t tasks  i io  n name  r reverse  / filter  tab other table  enter units of a machine";

/**
 * The whole screen as lines, exactly as many as it has rows, none wider than it is.
 *
 * @param usage the rows in the order of the view
 */
export function render(usage: Usage, view: View, { columns, rows, hasColors }: ScreenSize): readonly string[] {
  const paint = painter(hasColors);
  const room = Math.max(0, rows - FRAME);
  const ofMachines =
    view.focus === "machines" ? room : Math.min(usage.machines.length, Math.max(1, Math.floor(room * MACHINE_SHARE)));
  const ofUnits = view.focus === "machines" ? 0 : room - ofMachines;
  const shownMachines = window(usage.machines, ofMachines, view.focus === "machines" ? view.row : 0);
  const shownUnits = window(usage.units, ofUnits, view.row);
  const lines = [
    cell(summary(usage, view), columns),
    paint.heading(heading(MACHINE_COLUMNS, columns)),
    ...shownMachines.rows.map((machine, index) => {
      const line = machineLine(machine, columns);
      const color = machine.error !== null || machine.failed > 0 ? "trouble" : "plain";
      return view.focus === "machines" && index === shownMachines.marked ? paint.marked(line) : paint[color](line);
    }),
  ];
  if (view.focus === "units") {
    lines.push(paint.heading(heading(UNIT_COLUMNS, columns)));
    for (const [index, unit] of shownUnits.rows.entries()) {
      const line = row(UNIT_COLUMNS, unit, columns);
      const color = unit.active === "failed" ? "trouble" : "plain";
      lines.push(index === shownUnits.marked ? paint.marked(line) : paint[color](line));
    }
  }
  while (lines.length < rows - 1) lines.push(" ".repeat(columns));
  return [...lines.slice(0, rows - 1), cell(foot(view), columns)];
}

/** The same as plain text for a pipe, with every row. */
export function renderOnce({ machines, units }: Usage, columns: number): readonly string[] {
  return [
    heading(MACHINE_COLUMNS, columns),
    ...machines.map((machine) => machineLine(machine, columns)),
    "",
    heading(UNIT_COLUMNS, columns),
    ...units.map((unit) => row(UNIT_COLUMNS, unit, columns)),
  ].map((line) => line.trimEnd());
}

function machineLine(machine: MachineUsage, columns: number): string {
  if (machine.error === null) return row(MACHINE_COLUMNS, machine, columns);
  return cell(`${machineName(machine)}  ${terminalLine(machine.error)}`, columns);
}

function summary({ machines, units }: Usage, view: View): string {
  const failed = units.filter(({ active }) => active === "failed").length;
  const away = machines.filter(({ error }) => error !== null).length;
  const parts = [
    `fleet: ${machines.length} ${machines.length === 1 ? "machine" : "machines"}${away === 0 ? "" : `, ${away} not answering`}`,
    `${units.length} ${units.length === 1 ? "unit" : "units"}${failed === 0 ? "" : `, ${failed} failed`}`,
    `sorted by ${view.sort}${view.isReversed ? ", reversed" : ""}`,
  ];
  if (view.machineID !== null) {
    const machine = machines.find(({ id }) => id === view.machineID);
    parts.push(`only ${machine === undefined ? view.machineID.slice(0, 8) : machineName(machine)}`);
  }
  return parts.join(" | ");
}

function foot({ isTyping, filter }: View): string {
  if (isTyping) return `/${terminalLine(filter)}_  (enter keeps it, esc clears it)`;
  return filter === "" ? KEYS : `filter: ${terminalLine(filter)} (esc clears it)  ${KEYS}`;
}

/** The part of the rows that is in sight, so that the marked one is. */
function window<Row>(
  rows: readonly Row[],
  size: number,
  marked: number,
): { readonly rows: readonly Row[]; readonly marked: number } {
  const at = Math.min(marked, rows.length - 1);
  const start = Math.max(0, Math.min(at - Math.floor(size / 2), rows.length - size));
  return { rows: rows.slice(start, start + size), marked: at - start };
}

function heading<Row>(columns: readonly Column<Row>[], width: number): string {
  return line(columns, width, ({ title }) => title);
}

function row<Row>(columns: readonly Column<Row>[], of: Row, width: number): string {
  return line(columns, width, ({ text }) => text(of));
}

/** The least that a name gets: what does not fit beside it is left out from the right. */
const LEAST_NAME = 16;
const MOST_NAME = 60;

function line<Row>(columns: readonly Column<Row>[], width: number, text: (column: Column<Row>) => string): string {
  const [first, ...rest] = columns;
  if (first === undefined) return "";
  const shown: Column<Row>[] = [];
  let used = 0;
  for (const column of rest) {
    if (used + 1 + column.width > width - LEAST_NAME) break;
    shown.push(column);
    used += 1 + column.width;
  }
  const name = Math.min(MOST_NAME, width - used);
  const cells = shown.map((column) => ` ${cell(text(column), column.width, column.align)}`);
  return cell(cell(text(first), name) + cells.join(""), width);
}

const CODES = { heading: "7", marked: "1;7", trouble: "31", plain: "" } as const;

function painter(hasColors: boolean): Readonly<Record<keyof typeof CODES, (line: string) => string>> {
  const painted =
    (code: string) =>
    (text: string): string =>
      code === "" ? text : `\u001b[${code}m${text}\u001b[0m`;
  return {
    // Reversed writing is no colour: terminals without any have it too.
    heading: painted(CODES.heading),
    marked: painted(CODES.marked),
    trouble: hasColors ? painted(CODES.trouble) : (text) => text,
    plain: (text) => text,
  };
}
