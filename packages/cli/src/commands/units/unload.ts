import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { sayUnknown, unitNames } from "../../targets/units.ts";
import { waitUntilGone } from "../../waiting/wait-until-gone.ts";
import { AIMS, bringTo, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const unload: Command = {
  name: "unload",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Unschedule one or more units in the cluster",
  description:
    "Stop one or more units and unload them from their machines. They stay in the cluster.\n\nThe command waits until no machine reports them.",
  flags: WAIT_FLAGS,
  examples: ["fleetctl unload foo.service"],
  completes: "unit",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    const names = unitNames(args);
    const units = await findUnits(await context.client(), names);
    const known = names.filter((name) => units.has(name));
    await sayUnknown(context, names, units);
    if (known.length === 0) return 0;
    const { isFine, changed } = await bringTo(context, known, AIMS.unload, waiting);
    const isDone = isFine && (!waiting.block || (await waitUntilGone(context, known, waiting.mostMs)));
    if (isDone) context.err(`Successfully unloaded units [${changed.join(" ")}].`);
    return isDone ? 0 : 1;
  },
};
