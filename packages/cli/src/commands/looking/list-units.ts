import type { ClusterClient, MachineInfo, StateInfo } from "../../client/cluster-client.ts";
import { machinesByID } from "../../client/find.ts";
import { type Command, repeated } from "../../command.ts";
import type { Context } from "../../context.ts";
import {
  type Columns,
  cellsOf,
  type ListOptions,
  listFlags,
  type Paint,
  printList,
  readListOptions,
} from "../../printing/list.ts";
import { machineLegend } from "../../printing/machine-text.ts";
import { jsonText } from "../../printing/output.ts";
import { formatTable, tableWidths } from "../../printing/table.ts";
import { machinesNamed } from "../../targets/machines.ts";
import { follow } from "../../waiting/follow.ts";
import { patiently } from "../../waiting/until-settled.ts";
import { isShown, PENDING, pendingRows, type RowFilter } from "./unit-rows.ts";

const FIELDS = "unit,machine,active,sub";
/** Changes within such a time are printed together. */
const TOGETHER_MS = 50;
const AT_REST_MS = 60_000;

export const listUnits: Command = {
  name: "list-units",
  isClassic: true,
  args: "[unit...]",
  isLook: true,
  summary: "List the current state of units in the cluster",
  description: `List the units on machines with their systemd states; names and globs restrict the list. The number of pending units is
printed on standard error, unless --no-legend is given.

Fields: unit, machine, hostname, load, active, sub, hash.

With --watch each unit is printed again when it changes, until interrupted; with --output json each change is one line.`,
  flags: [
    ...listFlags(FIELDS),
    { flags: "-a, --all", description: "Also list pending units: those that wait for a machine" },
    {
      flags: "--state <state>",
      description: "Only in this load, active or sub state, or pending, or unknown (to the registry)",
      isRepeated: true,
    },
    { flags: "--machine <machine>", description: "Only on this machine", isRepeated: true },
    { flags: "-w, --watch", description: "Keep printing units as they change" },
  ],
  examples: [
    "fleetctl list-units",
    "fleetctl list-units --fields=unit,active --no-legend",
    "fleetctl list-units -l",
    "fleetctl list-units --watch",
    "fleetctl list-units --state failed --machine node1 'web@*'",
  ],
  completes: "unit",
  async run(context, args, flags) {
    const options = readListOptions(columns(new Map()), flags);
    const client = await context.client();
    const filter: RowFilter = {
      names: args,
      states: repeated(flags.state),
      machineIDs: await machineIDs(client, repeated(flags.machine)),
    };
    if (flags.watch === true) return watch(context, client, options, filter);
    const { states, machines } = await read(client);
    const isAll = flags.all === true || filter.states.includes(PENDING);
    const isCounted = !isAll && options.hasLegend && !options.isJson;
    const pending = isAll || isCounted ? pendingRows(await client.units(), states) : [];
    const rows = [...states, ...(isAll ? pending : [])].filter((row) => isShown(row, filter));
    printList(context, columns(machines), rows, options, asJson, paint);
    if (isCounted) sayPending(context, pending.filter((row) => isShown(row, filter)).length);
    if (options.hasLegend && !options.isJson)
      sayUnknownHere(context, rows.filter(({ unknown }) => unknown === true).length);
    return 0;
  },
};

async function machineIDs(client: ClusterClient, typed: readonly string[]): Promise<readonly string[]> {
  return typed.length === 0 ? [] : machinesNamed(await client.machines(), typed).map(({ id }) => id);
}

function sayPending(context: Context, count: number): void {
  if (count === 0) return;
  const units = count === 1 ? "1 unit is" : `${count} units are`;
  context.err(`${units} pending: see "fleetctl list-units --all" and "fleetctl explain UNIT".`);
}

function sayUnknownHere(context: Context, count: number): void {
  if (count === 0) return;
  const units = count === 1 ? "1 unit is" : `${count} units are`;
  context.err(
    `${units} unknown to the registry: see "fleetctl list-units --state unknown". "fleetctl destroy UNIT" removes a unit, "fleetctl start FILE" adopts it.`,
  );
}

interface Reading {
  readonly states: readonly StateInfo[];
  readonly machines: ReadonlyMap<string, MachineInfo>;
}

async function read(client: ClusterClient): Promise<Reading> {
  const [states, machines] = await Promise.all([client.states(), machinesByID(client)]);
  return { states, machines };
}

async function watch(
  context: Context,
  client: ClusterClient,
  options: ListOptions,
  filter: RowFilter,
): Promise<number> {
  const follower = await follow(client, {});
  const stop = (): void => follower.stop();
  context.signal.addEventListener("abort", stop);
  const look = patiently(() => read(client));
  let known = new Map<string, string>();
  let widths: readonly number[] = [];
  try {
    for (let isFirst = true; !context.signal.aborted; ) {
      const reading = await look();
      if (reading === null) continue;
      const { machines } = reading;
      const states = reading.states.filter((state) => isShown(state, filter));
      const next = new Map(states.map((state) => [keyOf(state), JSON.stringify(state)]));
      const changed = states.filter((state) => known.get(keyOf(state)) !== JSON.stringify(state));
      const gone = [...known]
        .filter(([key]) => !next.has(key))
        .map(([, text]) => asGone(JSON.parse(text) as StateInfo));
      known = next;
      const rows = [...changed, ...gone];
      if (options.isJson) for (const row of rows) context.out(jsonText(asJson(row)));
      else {
        const table = cellsOf(columns(machines), rows, options);
        if (isFirst && options.hasLegend) table.unshift(options.fields.map((field) => field.toUpperCase()));
        widths = tableWidths(table, widths);
        context.write(formatTable(table, widths));
      }
      isFirst = false;
      await follower.next(AT_REST_MS);
      await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
    }
    return 0;
  } finally {
    follower.stop();
    context.signal.removeEventListener("abort", stop);
  }
}

function keyOf({ name, machineID }: StateInfo): string {
  return `${name} ${machineID}`;
}

/** A unit that its machine does not report any more. */
function asGone(state: StateInfo): StateInfo {
  return { ...state, load: "", active: "", sub: "", error: null };
}

const paint: Paint = (field, cell) => {
  if (field !== "active" && field !== "sub") return null;
  if (cell === "failed") return "red";
  if (field === "active" && cell === "active") return "green";
  return /^(activating|deactivating|reloading|auto-restart)/.test(cell) ? "yellow" : null;
};

function asJson({ name, machineID, load, active, sub, hash, error, run, unknown }: StateInfo): unknown {
  const more = unknown === true ? { unknown } : {};
  return { unit: name, machine: machineID || null, load, active, sub, hash, error, run, ...more };
}

function columns(machines: ReadonlyMap<string, MachineInfo>): Columns<StateInfo> {
  return {
    unit: ({ name }) => name,
    machine: ({ machineID: id }, full) => (id === "" ? "" : machineLegend(id, machines, full)),
    hostname: ({ machineID: id }) => machines.get(id)?.hostname ?? "",
    load: ({ load }) => load,
    active: ({ active }) => active,
    sub: ({ sub }) => sub,
    hash: ({ hash }, full) => (full ? hash : hash.slice(0, 7)),
  };
}
