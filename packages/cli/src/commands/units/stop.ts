import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { unitNames } from "../../targets/units.ts";
import { bringTo, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const stop: Command = {
  name: "stop",
  isClassic: true,
  args: "<unit...>",
  summary: "Instruct systemd to stop one or more units in the cluster",
  description: "Stop one or more units. They stay loaded on their machines. Waits until they are stopped.",
  flags: WAIT_FLAGS,
  examples: ["fleetctl stop foo.service", "fleetctl stop --no-block web@1 web@2"],
  completes: "unit",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    const names = unitNames(args);
    const units = await findUnits(await context.client(), names);
    const stoppable: string[] = [];
    for (const name of names) {
      const unit = units.get(name);
      if (unit === undefined) context.err(`Error: Unit ${name} does not exist.`);
      else if (unit.desiredState === "inactive") context.err(`Unable to stop unit ${name} in state inactive`);
      else stoppable.push(name);
    }
    if (stoppable.length === 0) return 1;
    const isDone = await bringTo(context, stoppable, "loaded", "stop", waiting);
    if (isDone) context.err(`Successfully stopped units [${stoppable.join(" ")}].`);
    return isDone && stoppable.length === names.length ? 0 : 1;
  },
};
