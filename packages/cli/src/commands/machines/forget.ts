import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { machineID } from "../../printing/machine-text.ts";
import { machinesLike, machinesNamed } from "../../targets/machines.ts";

export const forget: Command = {
  name: "forget",
  args: "<machine...>",
  isChange: true,
  summary: "Forget machines that are lost for good",
  description: `Remove lost machines, and their cordons, from the list of "fleetctl list-machines --all". A machine that is not lost is
refused; one that comes back later is listed again.`,
  flags: [],
  examples: ["fleetctl forget 2444264c"],
  completes: "machine",
  async run(context, typed) {
    const client = await context.client();
    const here = await client.machines();
    const lost = await client.lostMachines();
    for (const name of typed)
      if (machinesLike(lost, name).length === 0 && machinesLike(here, name).length > 0)
        throw new CommandError(`machine ${name} is not lost: only a lost machine can be forgotten`);
    for (const { id } of machinesNamed(lost, typed)) {
      await client.forgetMachine(id);
      context.out(`Machine ${machineID(id, false)} forgotten`);
    }
    return 0;
  },
};
