import type { ClusterClient } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { machineID } from "../../printing/machine-text.ts";
import { machinesNamed } from "../../targets/machines.ts";

export const cordon: Command = {
  name: "cordon",
  args: "<machine...>",
  summary: "Mark machines unschedulable",
  description: `Mark machines unschedulable: they get no new units. What runs on them goes on running; global units run on them as before.

Machines are named by host name, address, or the beginning of the ID. A cordon outlasts a restart of the machine.`,
  flags: [],
  examples: ["fleetctl cordon 2444264c", "fleetctl cordon node1 192.0.2.7"],
  completes: "machine",
  run: (context, args) => forEach(context, args, "cordoned", (client, id) => client.cordon(id, false)),
};

export const uncordon: Command = {
  name: "uncordon",
  args: "<machine...>",
  summary: "Mark machines schedulable again",
  description:
    "Mark machines schedulable: they get units again. A drain ends where it is; what it has moved stays where it went.",
  flags: [],
  examples: ["fleetctl uncordon 2444264c"],
  completes: "machine",
  run: (context, args) => forEach(context, args, "uncordoned", (client, id) => client.uncordon(id)),
};

/** Does the same with each machine that is named; none is touched where a name is wrong. */
async function forEach(
  context: Context,
  typed: readonly string[],
  done: string,
  work: (client: ClusterClient, id: string) => Promise<void>,
): Promise<number> {
  const client = await context.client();
  const machines = await client.machines();
  for (const { id } of machinesNamed(machines, typed)) {
    await work(client, id);
    context.out(`Machine ${machineID(id, false)} ${done}`);
  }
  return 0;
}
