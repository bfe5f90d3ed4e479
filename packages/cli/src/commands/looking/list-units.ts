import type { ClusterClient, MachineInfo, StateInfo } from "../../client/cluster-client.ts";
import { machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
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
import { formatTable, tableWidths } from "../../printing/table.ts";
import { follow } from "../../waiting/follow.ts";
import { patiently } from "../../waiting/until-settled.ts";

const FIELDS = "unit,machine,active,sub";
/** Changes within such a time are printed together. */
const TOGETHER_MS = 50;
const AT_REST_MS = 60_000;

export const listUnits: Command = {
  name: "list-units",
  isClassic: true,
  args: "",
  summary: "List the current state of units in the cluster",
  description: `List the units that are on machines, with systemd's word on each.

Fields: unit, machine, load, active, sub, hash.

With --watch each unit that changes is printed again, until interrupted; with --output json each change is one line.`,
  flags: [...listFlags(FIELDS), { flags: "-w, --watch", description: "Go on printing units as they change" }],
  examples: [
    "fleetctl list-units",
    "fleetctl list-units --fields=unit,active --no-legend",
    "fleetctl list-units -l",
    "fleetctl list-units --watch",
  ],
  async run(context, _args, flags) {
    const options = readListOptions(columns(new Map()), flags);
    const client = await context.client();
    if (flags.watch === true) return watch(context, client, options);
    const { states, machines } = await read(client);
    printList(context, columns(machines), states, options, asJson, paint);
    return 0;
  },
};

interface Reading {
  readonly states: readonly StateInfo[];
  readonly machines: ReadonlyMap<string, MachineInfo>;
}

async function read(client: ClusterClient): Promise<Reading> {
  const [states, machines] = await Promise.all([client.states(), machinesByID(client)]);
  return { states, machines };
}

async function watch(context: Context, client: ClusterClient, options: ListOptions): Promise<number> {
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
      const { states, machines } = reading;
      const next = new Map(states.map((state) => [keyOf(state), JSON.stringify(state)]));
      const changed = states.filter((state) => known.get(keyOf(state)) !== JSON.stringify(state));
      const gone = [...known]
        .filter(([key]) => !next.has(key))
        .map(([, text]) => asGone(JSON.parse(text) as StateInfo));
      known = next;
      const rows = [...changed, ...gone];
      if (options.isJson) for (const row of rows) context.out(JSON.stringify(asJson(row)));
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

function asJson({ name, machineID, load, active, sub, hash, error }: StateInfo): unknown {
  return { unit: name, machine: machineID, load, active, sub, hash, error };
}

function columns(machines: ReadonlyMap<string, MachineInfo>): Columns<StateInfo> {
  return {
    unit: ({ name }) => name,
    machine: ({ machineID }, full) => machineLegend(machineID, machines, full),
    load: ({ load }) => load,
    active: ({ active }) => active,
    sub: ({ sub }) => sub,
    hash: ({ hash }, full) => (full ? hash : hash.slice(0, 7)),
  };
}
