import { serializeUnitFile } from "@fleet/registry/model";
import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { unitName } from "../units.ts";

export const cat: Command = {
  name: "cat",
  args: "<unit>",
  summary: "Output the contents of a submitted unit",
  description: "Print a unit's text as the cluster has it, byte for byte.",
  flags: [],
  examples: ["fleetctl cat foo.service"],
  async run(context, [typed = ""]) {
    const name = unitName(typed);
    const unit = await (await context.client()).unit(name);
    if (unit === null) throw new CommandError(`Unit ${name} not found`);
    context.write(serializeUnitFile(unit.options));
    return 0;
  },
};
