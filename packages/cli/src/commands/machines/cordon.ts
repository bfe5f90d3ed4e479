import type { MachineInfo } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { machineID } from "../../printing/machine-text.ts";
import { machinesNamed, onlyMachine } from "../../targets/machines.ts";

const WHOLE_ID = /^[0-9a-f]{32}$/;

export const cordon: Command = {
  name: "cordon",
  args: "<machine...>",
  isChange: true,
  summary: "Mark machines unschedulable",
  description: `Mark machines unschedulable: they get no new units. What runs on them goes on running; global units run on them as before.

Machines are named by host name, address, or the beginning of the ID. A cordon outlasts a restart of the machine.`,
  flags: [],
  examples: ["fleetctl cordon 2444264c", "fleetctl cordon node1 192.0.2.7"],
  completes: "machine",
  async run(context, typed) {
    const client = await context.client();
    const machines = machinesNamed(await client.machines(), typed);
    return forEach(context, machines, "cordoned", ({ id }) => client.cordon(id, false));
  },
};

export const uncordon: Command = {
  name: "uncordon",
  args: "<machine...>",
  isChange: true,
  summary: "Mark machines schedulable again",
  description:
    "Mark machines schedulable: they get units again. A drain ends where it is; what it has moved stays where it went.\n\nA machine that is not here, as during its restart, is named as usual; by its whole ID where the server is too old to\nremember it.",
  flags: [],
  examples: ["fleetctl uncordon 2444264c"],
  completes: "machine",
  async run(context, typed) {
    const client = await context.client();
    // A machine that restarts is not here, and its cordon is.
    const known = [...(await client.machines()), ...(await client.lostMachines())];
    const machines = typed.map((name) => {
      const isUnheardOf = WHOLE_ID.test(name) && !known.some(({ id }) => id === name);
      return isUnheardOf ? { id: name } : onlyMachine(known, name);
    });
    return forEach(context, machines, "uncordoned", ({ id }) => client.uncordon(id));
  },
};

/** Does the same with each machine. */
async function forEach<Machine extends Pick<MachineInfo, "id">>(
  context: Context,
  machines: readonly Machine[],
  done: string,
  work: (machine: Machine) => Promise<void>,
): Promise<number> {
  for (const machine of machines) {
    await work(machine);
    context.out(`Machine ${machineID(machine.id, false)} ${done}`);
  }
  return 0;
}
