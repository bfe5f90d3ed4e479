import type { MachineUsage, UnitUsage, Usage } from "./usage.ts";

/** What rows can be sorted by. */
export const SORT_KEYS = ["cpu", "memory", "tasks", "io", "name"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** What a user looks at: which rows, in which order, and which of them is marked. */
export interface View {
  readonly sort: SortKey;
  readonly isReversed: boolean;
  /** Only rows whose unit or machine has this in its name. */
  readonly filter: string;
  /** Whether keys go into the filter. */
  readonly isTyping: boolean;
  /** Only units of this machine; null: of all. */
  readonly machineID: string | null;
  /** The table that arrows move in. */
  readonly focus: "units" | "machines";
  /** The marked row of that table, from 0. */
  readonly row: number;
}

export const FIRST_VIEW: View = {
  sort: "cpu",
  isReversed: false,
  filter: "",
  isTyping: false,
  machineID: null,
  focus: "units",
  row: 0,
};

const KEY_SORTS: Readonly<Record<string, SortKey>> = { c: "cpu", m: "memory", t: "tasks", i: "io", n: "name" };

const PAGE = 10;

/**
 * What a key does to the view; "quit": it ends the looking.
 *
 * @param shown the rows as they are shown now
 */
export function press(view: View, key: string, shown: Usage): View | "quit" {
  if (key === "ctrl-c") return "quit";
  if (view.isTyping) return typed(view, key);
  const sort = KEY_SORTS[key];
  if (sort !== undefined) return { ...view, sort, isReversed: view.sort === sort && !view.isReversed, row: 0 };
  const last = (view.focus === "units" ? shown.units : shown.machines).length - 1;
  const to = (row: number): View => ({ ...view, row: Math.max(0, Math.min(last, row)) });
  switch (key) {
    case "q":
      return "quit";
    case "r":
      return { ...view, isReversed: !view.isReversed };
    case "/":
      return { ...view, isTyping: true };
    case "escape":
      return { ...view, filter: "", machineID: null, row: 0 };
    case "tab":
      return { ...view, focus: view.focus === "units" ? "machines" : "units", row: 0 };
    case "enter": {
      const machine = view.focus === "machines" ? shown.machines[view.row] : undefined;
      return machine === undefined ? view : { ...view, machineID: machine.id, focus: "units", row: 0 };
    }
    case "up":
      return to(view.row - 1);
    case "down":
      return to(view.row + 1);
    case "page-up":
      return to(view.row - PAGE);
    case "page-down":
      return to(view.row + PAGE);
    case "home":
      return to(0);
    case "end":
      return to(last);
    default:
      return view;
  }
}

function typed(view: View, key: string): View {
  switch (key) {
    case "enter":
      return { ...view, isTyping: false };
    case "escape":
      return { ...view, isTyping: false, filter: "" };
    case "backspace":
      return { ...view, filter: [...view.filter].slice(0, -1).join(""), row: 0 };
    default:
      return [...key].length === 1 ? { ...view, filter: view.filter + key, row: 0 } : view;
  }
}

/** The rows of a view, in its order. What has no figure comes last, and equal rows by name, so that they stay in place. */
export function rowsOf({ machines, units }: Usage, view: View): Usage {
  const text = view.filter.toLowerCase();
  const has = (...names: readonly (string | null)[]): boolean =>
    text === "" || names.some((name) => name?.toLowerCase().includes(text) === true);
  return {
    machines: machines
      .filter(({ id, hostname }) => view.focus === "units" || has(id, hostname))
      .sort(machineOrder(view)),
    units: units
      .filter(({ machineID }) => view.machineID === null || machineID === view.machineID)
      .filter(({ name, machineID, hostname }) => view.focus === "machines" || has(name, machineID, hostname))
      .sort(unitOrder(view)),
  };
}

function machineOrder({ sort, isReversed }: View): (a: MachineUsage, b: MachineUsage) => number {
  // Machines have neither tasks nor IO of their own here: they are sorted by what those most often go with.
  const figure = (machine: MachineUsage): number | null =>
    sort === "name" ? null : sort === "memory" ? machine.memory : sort === "cpu" ? machine.cpu : machine.load;
  const name = ({ hostname, id }: MachineUsage): string => `${hostname ?? ""} ${id}`;
  return order(figure, name, isReversed);
}

function unitOrder({ sort, isReversed }: View): (a: UnitUsage, b: UnitUsage) => number {
  const figure = (unit: UnitUsage): number | null => (sort === "name" ? null : unit[sort]);
  const name = ({ name: unit, hostname, machineID }: UnitUsage): string => `${unit} ${hostname ?? ""} ${machineID}`;
  return order(figure, name, isReversed);
}

function order<Row>(
  figure: (row: Row) => number | null,
  name: (row: Row) => string,
  isReversed: boolean,
): (a: Row, b: Row) => number {
  const direction = isReversed ? -1 : 1;
  return (a, b) => {
    const [left, right] = [figure(a), figure(b)];
    if (left !== right) {
      if (left === null) return 1;
      if (right === null) return -1;
      return direction * (right - left);
    }
    const [first, second] = [name(a), name(b)];
    return first === second ? 0 : direction * (first < second ? -1 : 1);
  };
}
