import type { UnitInfo } from "../../client/cluster-client.ts";
import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { patternsOf, unitsToRead } from "../../journal/units.ts";
import { hintFor, isGlobal, unitNames } from "../../targets/units.ts";
import { beginRoll } from "../rolls/begin-roll.ts";
import { ROLL_FLAGS, readRollFlags } from "../rolls/roll-flags.ts";
import { waitForRoll } from "../rolls/roll-wait.ts";
import { AIMS, bringTo, MESSAGE_FLAG, readMessage, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const restart: Command = {
  name: "restart",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Instruct systemd to rolling restart one or more units in the cluster",
  description: `Stop and start units one after the other. A loaded unit is started.

With --roll, units are named by globs and templates too, and the engine restarts those that are launched, a few at a time:
the next one begins when one has been active for the settle time. See "fleetctl roll".`,
  // A rolling restart is nothing without waiting: scripts may say --no-block all the same.
  flags: [
    ...WAIT_FLAGS.map((flag) => (flag.flags === "--no-block" ? { ...flag, isHidden: true } : flag)),
    MESSAGE_FLAG,
    ...ROLL_FLAGS,
  ],
  examples: ["fleetctl restart web@{1..3}", "fleetctl restart --roll --max-unavailable 25% 'web@*'"],
  completes: "unit",
  async run(context, args, flags) {
    const settings = readRollFlags(flags, readMessage(flags));
    if (settings !== null) {
      const { units } = await unitsToRead(context, patternsOf(args));
      const names = units.filter((unit) => isRolled(context, unit)).map(({ name }) => ({ name }));
      const roll = await beginRoll(context, { kind: "restart", units: names, ...settings });
      if (roll === null) return units.length === 0 ? 0 : 1;
      const isWaitedFor = readWaitOptions(flags).block;
      return !isWaitedFor || (await waitForRoll(context, await context.client(), roll)) ? 0 : 1;
    }
    if (flags.message !== undefined)
      throw new CommandError("--message has no effect without --roll: a restart is in no history");
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

/** Whether a unit can take part in a roll; it is said of one that can't. */
function isRolled(context: Context, unit: UnitInfo): boolean {
  const why = isGlobal(unit) ? "is global" : unit.desiredState === "launched" ? null : `is ${unit.desiredState}`;
  if (why !== null) context.err(`Unit ${unit.name} ${why}: it is left out of the roll.`);
  return why === null;
}
