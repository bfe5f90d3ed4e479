import { terminalText } from "@fleet/domain/text";
import { hashUnitFile, serializeUnitFile } from "@fleet/domain/unit";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { didYouMean, unitName } from "../../targets/units.ts";

export const cat: Command = {
  name: "cat",
  isClassic: true,
  args: "<unit>",
  isLook: true,
  summary: "Output the contents of a submitted unit",
  description: "Print a unit's text as the cluster has it, byte for byte; as JSON with its options one by one.",
  flags: [OUTPUT_FLAG],
  examples: ["fleetctl cat foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const name = unitName(typed);
    const isJson = readOutput(flags);
    const unit = await (await context.client()).unit(name);
    if (unit === null) {
      const hint = await didYouMean(context, name);
      throw new CommandError(`Unit ${name} not found${hint === "" ? "" : `.${hint}`}`);
    }
    const text = serializeUnitFile(unit.options);
    if (isJson) printJson(context, { unit: name, hash: hashUnitFile(unit.options), options: unit.options, text });
    else context.write(context.terminal === null ? text : terminalText(text));
    return 0;
  },
};
