import type { MachineInfo } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import { type Columns, listFlags, printList, readListOptions } from "../../printing/list.ts";
import { machineID } from "../../printing/machine-text.ts";

const FIELDS = "machine,ip,metadata";

const COLUMNS: Columns<MachineInfo> = {
  machine: ({ id }, full) => machineID(id, full),
  ip: ({ primaryIP }) => primaryIP,
  hostname: ({ hostname }) => hostname ?? "",
  version: ({ version }) => version ?? "",
  metadata: ({ metadata }) =>
    Object.entries(metadata)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(","),
  state: ({ state }) => state ?? "ready",
};

export const listMachines: Command = {
  name: "list-machines",
  isClassic: true,
  args: "",
  isLook: true,
  summary: "Enumerate the current hosts in the cluster",
  description: `List the machines of the cluster.

Fields: machine, ip, metadata, hostname, version, state (ready, cordoned or draining).`,
  flags: listFlags(FIELDS),
  examples: [
    "fleetctl list-machines",
    "fleetctl list-machines --fields=machine,hostname,state",
    "fleetctl list-machines --output json",
  ],
  async run(context, _args, flags) {
    const options = readListOptions(COLUMNS, flags);
    const machines = await (await context.client()).machines();
    const asJson = ({ id, primaryIP, hostname, version, metadata, state }: MachineInfo): unknown => ({
      machine: id,
      ip: primaryIP,
      hostname,
      version,
      metadata,
      state: state ?? "ready",
    });
    printList(context, COLUMNS, machines, options, asJson);
    return 0;
  },
};
