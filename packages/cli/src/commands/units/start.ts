import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { ensureUnits } from "../../submitting/ensure-units.ts";
import { unitNames } from "../../targets/units.ts";
import { rollVersions, splitForRoll } from "../rolls/begin-roll.ts";
import { ON_FAILURE_FLAG, ROLL_FLAGS, readRollFlags } from "../rolls/roll-flags.ts";
import {
  AIMS,
  bringTo,
  FORCE_FLAG,
  MESSAGE_FLAG,
  readSubmit,
  readWaitOptions,
  STRICT_FLAG,
  WAIT_FLAGS,
} from "./desired-state.ts";

export const start: Command = {
  name: "start",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Instruct systemd to start one or more units in the cluster, first submitting and loading if necessary",
  description: `Start one or more units in the cluster.

Units that are not in the cluster yet are submitted and loaded first. A unit that has failed, has ended or was
stopped by hand is started again. The command waits until systemd reports the units active, global units on every machine
that they fit. A unit that fails, or keeps failing, ends the wait with systemd's reason and exit code 1.

With --replace --roll, units that run are given their new versions a few at a time: the next one begins when one has been
active for the settle time. A template stands for all its instances. The engine makes the roll; see "fleetctl roll".`,
  flags: [
    { flags: "--replace", description: "Replace the unit if the local file differs" },
    FORCE_FLAG,
    STRICT_FLAG,
    MESSAGE_FLAG,
    ...WAIT_FLAGS,
    ...ROLL_FLAGS,
    ON_FAILURE_FLAG,
  ],
  examples: [
    "fleetctl start foo.service",
    "fleetctl start web@{1..3}",
    "fleetctl start --no-block foo.service",
    "fleetctl start --replace --roll --on-failure undo web@.service",
  ],
  completes: "unit-or-file",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    if (readRollFlags(flags, null) !== null) return startRolled(context, args, flags);
    const sent = await ensureUnits(context, args, "launched", readSubmit(flags));
    return (await bringTo(context, unitNames(args), AIMS.start, waiting, sent)).isFine ? 0 : 1;
  },
};

/** Starts what does not run yet, and rolls what does. */
async function startRolled(
  context: Context,
  args: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const submit = readSubmit(flags);
  if (!submit.replace) throw new CommandError("--roll needs --replace, which puts new versions in");
  const settings = readRollFlags(flags, submit.message) ?? {};
  const waiting = readWaitOptions(flags);
  const split = await splitForRoll(context, args);
  if (split.others.length > 0) {
    const sent = await ensureUnits(context, split.others, "launched", submit);
    const { isFine } = await bringTo(context, unitNames(split.others), AIMS.start, waiting, sent);
    if (!isFine) return 1;
  }
  return (await rollVersions(context, split, submit, settings, waiting.block)) ? 0 : 1;
}
