import { hashUnitFile, parseUnitFile } from "@fleet/domain/unit";
import type { UnitInfo, UnitVersion } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { refuseHomeless } from "../../submitting/ensure-units.ts";
import { unitName } from "../../targets/units.ts";
import {
  AIMS,
  bringTo,
  FORCE_FLAG,
  MESSAGE_FLAG,
  readMessage,
  readWaitOptions,
  WAIT_FLAGS,
} from "../units/desired-state.ts";
import { readVersionNumber, textOf, versionsOf } from "./history.ts";

export const undo: Command = {
  name: "undo",
  args: "<unit>",
  isChange: true,
  summary: "Go back to an earlier version of a unit",
  description: `Restore the previous version of a unit, or the one given with --to. The desired state stays: a launched unit is restarted,
and waited for as by start. A destroyed unit comes back inactive.

The restored version becomes the newest one, so a second undo reverts the first.`,
  flags: [
    { flags: "--to <version>", description: "Number of the version, from history" },
    { ...FORCE_FLAG, description: "Accept a version that fits no machine, which stops the unit" },
    MESSAGE_FLAG,
    ...WAIT_FLAGS,
  ],
  examples: ["fleetctl undo web.service", "fleetctl undo --to 3 -m 'the old one was faster' web.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const waiting = readWaitOptions(flags);
    const asked = flags.to === undefined ? null : readVersionNumber("--to", flags.to);
    const name = unitName(typed);
    const client = await context.client();
    const [versions, unit] = [await versionsOf(context, name), await client.unit(name)];
    const number = asked ?? versionBefore(name, versions, unit);
    const text = await textOf(client, name, number);
    if (versions.some((version) => version.number === number && version.current === true)) {
      context.out(`Unit ${name} has version ${number}, nothing to do`);
      return 0;
    }
    const options = parseUnitFile(text);
    const message = readMessage(flags) ?? `undo, to version ${number}`;
    const isNewMeaning = unit === null || hashUnitFile(unit.options) !== hashUnitFile(options);
    if (unit !== null && isNewMeaning && flags.force !== true)
      await refuseHomeless(client, new Map([[name, options]]), new Map([[name, unit]]));
    const desiredState = unit?.desiredState ?? "inactive";
    await client.setUnit(name, { options, desiredState, text }, message);
    context.out(`Unit ${name} has version ${number} again${unit === null ? ", and is inactive" : ""}`);
    if (desiredState === "inactive" || !isNewMeaning) return 0;
    const aim = desiredState === "launched" ? AIMS.start : AIMS.load;
    return (await bringTo(context, [name], aim, waiting, new Set([name]))).isFine ? 0 : 1;
  },
};

/** The version before the one that a unit has; of one that was destroyed, its last. */
function versionBefore(name: string, versions: readonly UnitVersion[], unit: UnitInfo | null): number {
  const all = versions.filter(({ kind }) => kind === "version");
  const found = all[unit === null ? 0 : 1];
  if (found !== undefined) return found.number;
  throw new CommandError(`${name} has only one version: there is no earlier one`);
}
