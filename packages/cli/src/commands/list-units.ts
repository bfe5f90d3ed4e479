import type { MachineInfo, StateInfo } from "../client/fleet-client.ts";
import type { Command } from "../command.ts";
import { machineLegend } from "../machine-text.ts";
import { machineMap } from "../wait.ts";
import { type Columns, listFlags, printList } from "./list.ts";

const FIELDS = "unit,machine,active,sub";

export const listUnits: Command = {
  name: "list-units",
  args: "",
  summary: "List the current state of units in the cluster",
  description: `List the units that are on machines, with systemd's word on each.

Fields: unit, machine, load, active, sub, hash.`,
  flags: listFlags(FIELDS),
  examples: ["fleetctl list-units", "fleetctl list-units --fields=unit,active --no-legend", "fleetctl list-units -l"],
  async run(context, _args, flags) {
    const client = await context.client();
    const [states, machines] = await Promise.all([client.states(), machineMap(client)]);
    printList(context, columns(machines), states, flags);
    return 0;
  },
};

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
