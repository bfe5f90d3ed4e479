import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { machineID } from "../../printing/machine-text.ts";
import { machinesLike, machinesNamed } from "../../targets/machines.ts";

export const forget: Command = {
  name: "forget",
  args: "<machine...>",
  isChange: true,
  summary: "Forget machines that are lost for good",
  description: `Take lost machines off the list, with their cordons. "fleetctl list-machines --all" has them. A machine that is here
is refused, and one that comes back later is known again.`,
  flags: [],
  examples: ["fleetctl forget 2444264c"],
  completes: "machine",
  async run(context, typed) {
    const client = await context.client();
    const here = await client.machines();
    const lost = await client.lostMachines();
    for (const name of typed)
      if (machinesLike(lost, name).length === 0 && machinesLike(here, name).length > 0)
        throw new CommandError(`machine ${name} is here: only a lost one can be forgotten`);
    for (const { id } of machinesNamed(lost, typed)) {
      await client.forgetMachine(id);
      context.out(`Machine ${machineID(id, false)} forgotten`);
    }
    return 0;
  },
};
