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
  since: ({ since }) => since ?? "",
};

export const listMachines: Command = {
  name: "list-machines",
  isClassic: true,
  args: "",
  isLook: true,
  summary: "Enumerate the current hosts in the cluster",
  description: `List the machines of the cluster.

Fields: machine, ip, metadata, hostname, version, state (ready, cordoned, draining or lost), since
(of a lost machine). The number of lost machines is printed on standard error, unless --no-legend is given.`,
  flags: [
    ...listFlags(FIELDS),
    { flags: "-a, --all", description: "Also list lost machines, until they are forgotten" },
  ],
  examples: [
    "fleetctl list-machines",
    "fleetctl list-machines --fields=machine,hostname,state",
    "fleetctl list-machines --output json",
  ],
  async run(context, _args, flags) {
    const options = readListOptions(COLUMNS, flags);
    const client = await context.client();
    const isAll = flags.all === true;
    const isCounted = !isAll && options.hasLegend && !options.isJson;
    const lost = isAll || isCounted ? await client.lostMachines() : [];
    printList(context, COLUMNS, [...(await client.machines()), ...(isAll ? lost : [])], options, asJson);
    if (isCounted && lost.length > 0) {
      const are = lost.length === 1 ? "1 machine is" : `${lost.length} machines are`;
      context.err(`${are} lost: see "fleetctl list-machines --all".`);
    }
    return 0;
  },
};

function asJson({ id, primaryIP, hostname, version, metadata, state, since }: MachineInfo): unknown {
  return { machine: id, ip: primaryIP, hostname, version, metadata, state: state ?? "ready", since };
}
