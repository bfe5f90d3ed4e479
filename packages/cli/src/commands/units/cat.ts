import { terminalText } from "@fleet/domain/text";
import { hashUnitFile, parseUnitFile, serializeUnitFile, type UnitOption } from "@fleet/domain/unit";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { hintFor, unitName } from "../../targets/units.ts";
import { readVersionNumber, textOf } from "../history/history.ts";

export const cat: Command = {
  name: "cat",
  isClassic: true,
  args: "<unit>",
  isLook: true,
  summary: "Output the contents of a submitted unit",
  description: `Print a unit's file as it was submitted, byte for byte. From a server that does not store the file the unit's options are
printed, without comments. JSON output lists the options one by one.`,
  flags: [{ flags: "--version <n>", description: "An earlier version, by its number in history" }, OUTPUT_FLAG],
  examples: ["fleetctl cat foo.service", "fleetctl cat --version 3 foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const name = unitName(typed);
    const isJson = readOutput(flags);
    const client = await context.client();
    if (flags.version !== undefined) {
      const text = await textOf(client, name, readVersionNumber("--version", flags.version));
      show(context, name, parseUnitFile(text), text, isJson);
      return 0;
    }
    const unit = await client.unit(name, { withText: true });
    if (unit === null) {
      const hint = await hintFor(context, name);
      throw new CommandError(`Unit ${name} not found${hint === "" ? "" : `.${hint}`}`);
    }
    // A server that keeps no texts has at least what they mean.
    show(context, name, unit.options, unit.text ?? serializeUnitFile(unit.options), isJson);
    return 0;
  },
};

function show(context: Context, name: string, options: readonly UnitOption[], text: string, isJson: boolean): void {
  if (isJson) printJson(context, { unit: name, hash: hashUnitFile(options), options, text });
  else context.write(context.terminal === null ? text : terminalText(text));
}
