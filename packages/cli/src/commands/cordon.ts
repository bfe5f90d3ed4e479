import type { Command } from "../command.ts";
import { machineID } from "../machine-text.ts";
import { onlyMachine } from "./targets.ts";

export const cordon: Command = {
  name: "cordon",
  args: "<machine...>",
  summary: "Have machines get no new units",
  description: `Have machines get no new units. What runs on them goes on running; global units run on them as before.

Machines are named by the beginning of their IDs. A cordon outlasts a restart of the machine.`,
  flags: [],
  examples: ["fleetctl cordon 2444264c"],
  completes: "machine",
  async run(context, args) {
    const client = await context.client();
    const machines = await client.machines();
    const chosen = args.map((arg) => onlyMachine(machines, arg));
    for (const { id } of chosen) {
      await client.cordon(id, false);
      context.out(`Machine ${machineID(id, false)} cordoned`);
    }
    return 0;
  },
};

export const uncordon: Command = {
  name: "uncordon",
  args: "<machine...>",
  summary: "Have machines get units again",
  description: "Have machines get units again. A drain ends where it is; what it has moved stays where it went.",
  flags: [],
  examples: ["fleetctl uncordon 2444264c"],
  completes: "machine",
  async run(context, args) {
    const client = await context.client();
    const machines = await client.machines();
    const chosen = args.map((arg) => onlyMachine(machines, arg));
    for (const { id } of chosen) {
      await client.uncordon(id);
      context.out(`Machine ${machineID(id, false)} uncordoned`);
    }
    return 0;
  },
};
