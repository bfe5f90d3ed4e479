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
  description: `Mark machines unschedulable: they get no new units. Units that run there keep running; global units are not affected.

Machines are named by host name, address, or the beginning of the ID. A cordon survives a reboot of the machine.`,
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
    "Mark machines schedulable again. A drain in progress stops; units that it has moved stay where they are.\n\nA machine that is lost, as during a reboot, is named as usual; with a server too old to list lost machines, by its whole ID.",
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

/** Does the same with each machine, once. */
async function forEach<Machine extends Pick<MachineInfo, "id">>(
  context: Context,
  machines: readonly Machine[],
  done: string,
  work: (machine: Machine) => Promise<void>,
): Promise<number> {
  for (const machine of new Map(machines.map((one) => [one.id, one])).values()) {
    await work(machine);
    context.out(`Machine ${machineID(machine.id, false)} ${done}`);
  }
  return 0;
}
