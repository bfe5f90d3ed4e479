import type { MachineInfo } from "../client/fleet-client.ts";
import type { Command } from "../command.ts";
import { machineID } from "../machine-text.ts";
import { type Columns, listFlags, printList } from "./list.ts";

const FIELDS = "machine,ip,metadata";

const COLUMNS: Columns<MachineInfo> = {
  machine: ({ id }, full) => machineID(id, full),
  ip: ({ primaryIP }) => primaryIP,
  metadata: ({ metadata }) =>
    Object.entries(metadata)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(","),
};

export const listMachines: Command = {
  name: "list-machines",
  args: "",
  summary: "Enumerate the current hosts in the cluster",
  description: `List the machines of the cluster.

Fields: machine, ip, metadata.`,
  flags: listFlags(FIELDS),
  examples: ["fleetctl list-machines", "fleetctl list-machines -l --no-legend"],
  async run(context, _args, flags) {
    const machines = await (await context.client()).machines();
    printList(context, COLUMNS, machines, flags);
    return 0;
  },
};
