import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { machineID } from "../../printing/machine-text.ts";
import { onlyMachine } from "../../targets/machines.ts";

export const setMetadata: Command = {
  name: "set-metadata",
  args: "<words...>",
  usage: "<machine> <key=value...>",
  isChange: true,
  summary: "Change a machine's metadata",
  description: `Set metadata of a machine; "KEY=" removes a key, including one from its fleet.conf. Units that no longer fit the machine
are moved.

The machine is named by host name, address, or the beginning of its ID. The change survives a reboot of the machine.`,
  flags: [],
  examples: ["fleetctl set-metadata node1 disk=ssd rack=7", "fleetctl set-metadata 2444264c disk="],
  completes: "machine",
  async run(context, [typed = "", ...words]) {
    if (words.length === 0) throw new CommandError("nothing to set: expected KEY=VALUE after the machine");
    const changes = new Map(words.map(readChange));
    const client = await context.client();
    const { id } = onlyMachine(await client.machines(), typed);
    await client.setMetadata(id, changes);
    const told = [...changes].map(([key, value]) => (value === null ? `${key} removed` : `${key}=${value}`));
    context.out(`Machine ${machineID(id, false)} ${told.join(", ")}`);
    return 0;
  },
};

/** Reads `KEY=VALUE`, or `KEY=`, which removes. */
function readChange(word: string): readonly [string, string | null] {
  const [, key, value] = /^([A-Za-z0-9_.-]+)=(.*)$/s.exec(word) ?? [];
  if (key === undefined || value === undefined)
    throw new CommandError(`invalid metadata ${JSON.stringify(word)}: expected KEY=VALUE, or KEY= to remove it`);
  return [key, value === "" ? null : value];
}
