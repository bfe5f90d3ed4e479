import { terminalText } from "@fleet/domain/text";
import { hashUnitFile, serializeUnitFile } from "@fleet/domain/unit";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { hintFor, unitName } from "../../targets/units.ts";

export const cat: Command = {
  name: "cat",
  isClassic: true,
  args: "<unit>",
  isLook: true,
  summary: "Output the contents of a submitted unit",
  description: `Print a unit's file as it was submitted, byte for byte. A server that does not keep that has it written out from the
unit's options: without comments. As JSON it comes with its options one by one.`,
  flags: [OUTPUT_FLAG],
  examples: ["fleetctl cat foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const name = unitName(typed);
    const isJson = readOutput(flags);
    const unit = await (await context.client()).unit(name, { withText: true });
    if (unit === null) {
      const hint = await hintFor(context, name);
      throw new CommandError(`Unit ${name} not found${hint === "" ? "" : `.${hint}`}`);
    }
    // A server that keeps no texts has at least what they mean.
    const text = unit.text ?? serializeUnitFile(unit.options);
    if (isJson) printJson(context, { unit: name, hash: hashUnitFile(unit.options), options: unit.options, text });
    else context.write(context.terminal === null ? text : terminalText(text));
    return 0;
  },
};
