import type { Command } from "../../command.ts";
import { ensureUnits } from "../../submitting/ensure-units.ts";
import { unitNames } from "../../targets/units.ts";
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

export const load: Command = {
  name: "load",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Schedule one or more units in the cluster, first submitting them if necessary",
  description: `Schedule one or more units to machines and load them into systemd there, without starting them.

Units that are not in the cluster yet are submitted first. A launched unit is stopped, with a warning. The command waits
until the units are loaded.`,
  flags: [
    {
      flags: "--replace",
      description: "Replace the unit if the local file differs and the unit is not launched",
    },
    FORCE_FLAG,
    STRICT_FLAG,
    MESSAGE_FLAG,
    ...WAIT_FLAGS,
  ],
  examples: ["fleetctl load foo.service", "fleetctl load --no-block foo@1 foo@2"],
  completes: "unit-or-file",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    const sent = await ensureUnits(context, args, "loaded", readSubmit(flags));
    return (await bringTo(context, unitNames(args), AIMS.load, waiting, sent)).isFine ? 0 : 1;
  },
};
