import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { sayUnknown, unitNames } from "../../targets/units.ts";
import { AIMS, bringTo, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const stop: Command = {
  name: "stop",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Instruct systemd to stop one or more units in the cluster",
  description:
    "Stop one or more units. They stay loaded on their machines. The command waits until systemd reports them stopped, global\nunits on every machine. Unknown units are skipped.",
  flags: WAIT_FLAGS,
  examples: ["fleetctl stop foo.service", "fleetctl stop --no-block web@1 web@2"],
  completes: "unit",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    const names = unitNames(args);
    const units = await findUnits(await context.client(), names);
    await sayUnknown(context, names, units);
    if (units.size === 0) return 0;
    const known = names.filter((name) => units.has(name));
    const stoppable = known.filter((name) => units.get(name)?.desiredState !== "inactive");
    for (const name of known)
      if (!stoppable.includes(name)) context.err(`Unable to stop unit ${name} in state inactive`);
    if (stoppable.length === 0) return 1;
    const { isFine, changed } = await bringTo(context, stoppable, AIMS.stop, waiting);
    if (isFine) context.err(`Successfully stopped units [${changed.join(" ")}].`);
    return isFine && stoppable.length === known.length ? 0 : 1;
  },
};
