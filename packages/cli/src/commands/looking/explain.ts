import type { Placement, StateInfo } from "../../client/cluster-client.ts";
import { machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { machineID, withNames } from "../../printing/machine-text.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { troubleText } from "../../printing/trouble-text.ts";
import { hintFor, unitName } from "../../targets/units.ts";

export const explain: Command = {
  name: "explain",
  args: "<unit>",
  isLook: true,
  summary: "Explain where a unit is, and why it is not elsewhere",
  description: `Explain where a unit is placed, and why the other machines are excluded; machines with the same reason are counted
together. Machines on which the unit has failed are listed with systemd's reason.`,
  flags: [{ flags: "-l, --full", description: "Show whole machine IDs instead of names" }, OUTPUT_FLAG],
  examples: ["fleetctl explain foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const name = unitName(typed);
    const client = await context.client();
    const isJson = readOutput(flags);
    const placement = await client.placement(name);
    if (placement === null) {
      if ((await client.unit(name)) === null)
        throw new CommandError(`Unit ${name} does not exist.${await hintFor(context, name)}`);
      throw new CommandError("this server is too old to explain placements");
    }
    if (isJson) {
      printJson(context, placement);
      return 0;
    }
    const [states, machines] = await Promise.all([client.states(name), machinesByID(client)]);
    const nameOf = (id: string): string =>
      flags.full === true ? id : (machines.get(id)?.hostname ?? machineID(id, false));
    const named = (text: string): string => (flags.full === true ? text : withNames(text, machines));
    context.out(`Unit ${name}: ${named(placement.summary)}`);
    for (const { reason, machines: count, examples } of placement.reasons) {
      const shown = examples.map(nameOf).join(", ");
      const more = count > examples.length ? ", ..." : "";
      context.out(
        `${String(count).padStart(6)} ${count === 1 ? "machine " : "machines"}  ${named(reason)} (${shown}${more})`,
      );
    }
    for (const { machineID: id, text } of troublesToList(placement, states))
      context.out(`  on ${nameOf(id)}: ${named(text)}`);
    return 0;
  },
};

/** What is wrong with a unit, by machine; nothing where the summary says it already. */
function troublesToList(
  { troubles }: Placement,
  states: readonly StateInfo[],
): readonly { readonly machineID: string; readonly text: string }[] {
  if (troubles !== undefined) return troubles.length > 1 ? troubles : [];
  return states.flatMap((state) => {
    const text = troubleText(state);
    return text === null ? [] : [{ machineID: state.machineID, text }];
  });
}
