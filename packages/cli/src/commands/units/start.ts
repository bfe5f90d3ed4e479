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
that they fit. A unit that fails, or keeps failing, ends the wait with systemd's reason and exit code 1.`,
  flags: [
    { flags: "--replace", description: "Replace the unit if the local file differs" },
    FORCE_FLAG,
    STRICT_FLAG,
    MESSAGE_FLAG,
    ...WAIT_FLAGS,
  ],
  examples: ["fleetctl start foo.service", "fleetctl start web@{1..3}", "fleetctl start --no-block foo.service"],
  completes: "unit-or-file",
  async run(context, args, flags) {
    const waiting = readWaitOptions(flags);
    const sent = await ensureUnits(context, args, "launched", readSubmit(flags));
    return (await bringTo(context, unitNames(args), AIMS.start, waiting, sent)).isFine ? 0 : 1;
  },
};
