import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { hintFor, unitNames } from "../../targets/units.ts";
import { AIMS, bringTo, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const restart: Command = {
  name: "restart",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Instruct systemd to rolling restart one or more units in the cluster",
  description: "Stop and start units one after the other. A loaded unit is started.",
  // A rolling restart is nothing without waiting: scripts may say --no-block all the same.
  flags: WAIT_FLAGS.map((flag) => (flag.flags === "--no-block" ? { ...flag, isHidden: true } : flag)),
  examples: ["fleetctl restart web@{1..3}"],
  completes: "unit",
  async run(context, args, flags) {
    const waiting = { ...readWaitOptions(flags), block: true };
    const names = unitNames(args);
    const units = await findUnits(await context.client(), names);
    let isFine = true;
    for (const name of names) {
      const unit = units.get(name);
      if (unit === undefined) context.err(`Error: Unit ${name} does not exist.${await hintFor(context, name)}`);
      else if (unit.desiredState === "inactive") context.err(`Error: Unable to restart unit ${name} in state inactive`);
      else {
        if (unit.desiredState === "launched")
          isFine = (await bringTo(context, [name], AIMS.stop, waiting)).isFine && isFine;
        isFine = (await bringTo(context, [name], AIMS.start, waiting)).isFine && isFine;
        continue;
      }
      isFine = false;
    }
    return isFine ? 0 : 1;
  },
};
