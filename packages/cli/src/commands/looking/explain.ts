import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { machineID } from "../../printing/machine-text.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { unitName } from "../../targets/units.ts";

export const explain: Command = {
  name: "explain",
  args: "<unit>",
  summary: "Explain where a unit is, and why it is not elsewhere",
  description: `Say where a unit is and why; and of the machines that it is not on, why not: those with the same reason are
counted together.`,
  flags: [{ flags: "-l, --full", description: "Do not shorten machine IDs" }, OUTPUT_FLAG],
  examples: ["fleetctl explain foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const name = unitName(typed);
    const client = await context.client();
    const isJson = readOutput(flags);
    const placement = await client.placement(name);
    if (placement === null) {
      if ((await client.unit(name)) === null) throw new CommandError(`Unit ${name} does not exist.`);
      throw new CommandError("the server explains nothing: it is older than this fleetctl");
    }
    if (isJson) {
      printJson(context, placement);
      return 0;
    }
    const isFull = flags.full === true;
    context.out(`Unit ${name}: ${placement.summary}`);
    for (const { reason, machines, examples } of placement.reasons) {
      const shown = examples.map((id) => machineID(id, isFull)).join(", ");
      const more = machines > examples.length ? ", ..." : "";
      context.out(
        `${String(machines).padStart(6)} ${machines === 1 ? "machine " : "machines"}  ${reason} (${shown}${more})`,
      );
    }
    return 0;
  },
};
