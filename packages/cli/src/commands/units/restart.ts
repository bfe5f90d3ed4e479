import { conditionOf } from "@fleet/domain/unit";
import type { StateInfo } from "../../client/cluster-client.ts";
import { findUnits } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { isGlobal, unitNames } from "../../targets/units.ts";
import { followUnits } from "../../waiting/follow.ts";
import { untilSettled } from "../../waiting/until-settled.ts";
import { bringTo, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const restart: Command = {
  name: "restart",
  isClassic: true,
  args: "<unit...>",
  summary: "Instruct systemd to rolling restart one or more units in the cluster",
  description: "Stop and start units, one after the other. A unit that is only loaded is started.",
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
      if (unit === undefined) context.err(`Error: Unit ${name} does not exist.`);
      else if (unit.desiredState === "inactive") context.err(`Error: Unable to restart unit ${name} in state inactive`);
      else {
        if (unit.desiredState === "launched")
          isFine = (await bringTo(context, [name], "loaded", "stop", waiting)) && isFine;
        if (isGlobal(unit)) await allStopped(context, name);
        isFine = (await bringTo(context, [name], "launched", "start", waiting)) && isFine;
        continue;
      }
      isFine = false;
    }
    return isFine ? 0 : 1;
  },
};

/** How long a global unit may take to stop everywhere. */
const GLOBAL_STOP_MS = 30_000;

/** A global unit is stopped when no machine says that it is up: only then does starting it again restart it. */
async function allStopped(context: Context, name: string): Promise<void> {
  const client = await context.client();
  const hasStopped = (state: StateInfo): boolean => ["at-rest", "failed"].includes(conditionOf(state));
  const look = async (): Promise<true | null> => ((await client.states(name)).every(hasStopped) ? true : null);
  if ((await untilSettled(await followUnits(client, [name]), GLOBAL_STOP_MS, { look })) !== null) return;
  context.err(`WARNING: Unit ${name} has not stopped on all machines yet; it is started all the same.`);
}
