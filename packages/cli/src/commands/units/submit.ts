import type { Command } from "../../command.ts";
import { ensureUnits } from "../../submitting/ensure-units.ts";
import { MESSAGE_FLAG, readSubmit, STRICT_FLAG } from "./desired-state.ts";

export const submit: Command = {
  name: "submit",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Upload one or more units to the cluster without starting them",
  description: `Upload one or more units to the cluster without starting them.

Units are read from files, or, for instances, from a template in the registry or beside the file. A unit that exists
already is not changed.`,
  flags: [
    { flags: "--replace", description: "Replace the unit if the local file differs and the unit is inactive" },
    STRICT_FLAG,
    MESSAGE_FLAG,
  ],
  examples: ["fleetctl submit foo.service", "fleetctl submit units/*.service", "fleetctl submit --replace foo.service"],
  completes: "unit-or-file",
  async run(context, args, flags) {
    await ensureUnits(context, args, "inactive", readSubmit(flags));
    return 0;
  },
};
