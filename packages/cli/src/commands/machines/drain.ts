import type { ClusterClient, MachineInfo, UnitInfo } from "../../client/cluster-client.ts";
import { findStates, machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { machineID, machineLegend } from "../../printing/machine-text.ts";
import { onlyMachine } from "../../targets/machines.ts";
import { follow } from "../../waiting/follow.ts";
import { untilSettled } from "../../waiting/until-settled.ts";
import { DrainProgress } from "./drain-progress.ts";
import { readTimeoutMs, TIMEOUT_FLAG } from "./timeout.ts";

/** When to look again though nothing happens. */
const AGAIN_MS = 1_000;

export const drain: Command = {
  name: "drain",
  args: "<machine>",
  summary: "Move all units away from a machine",
  description: `Have a machine get no new units, and move those that it has away, one after the other: each is active on its new
machine before the next one is moved. A unit with Overlap=true in [X-Fleet] is active there before it stops here; any
other stops first. Global units stay. The machine stays cordoned: "fleetctl uncordon" has it take units again.

The engine does the work: it goes on when fleetctl is interrupted. fleetctl waits until the units have stopped here and
are up elsewhere. A unit that fits nowhere else stays where it is, and the exit code is 1.`,
  flags: [TIMEOUT_FLAG, { flags: "--no-block", description: "Do not wait until the units have left" }],
  examples: ["fleetctl drain 2444264c", "fleetctl drain --timeout 600 2444264c"],
  completes: "machine",
  async run(context, [typed = ""], flags) {
    const mostMs = readTimeoutMs(flags);
    const client = await context.client();
    const machine = onlyMachine(await client.machines(), typed);
    await client.cordon(machine.id, true);
    context.out(`Machine ${machineID(machine.id, false)} draining`);
    if (flags.block === false) return 0;
    return (await untilDrained(context, client, machine, mostMs)) ? 0 : 1;
  },
};

async function untilDrained(
  context: Context,
  client: ClusterClient,
  { id }: MachineInfo,
  mostMs: number,
): Promise<boolean> {
  const machines = await machinesByID(client);
  const progress = new DrainProgress(id);
  const shortID = machineID(id, false);
  const result = await untilSettled(await follow(client, {}), mostMs, {
    async look() {
      const units = new Map((await client.units()).map((unit) => [unit.name, unit]));
      progress.takeUnits(units.values());
      const states = progress.isFirst ? await client.states() : await findStates(client, progress.left);
      for (const name of progress.takeStates(units, states, performance.now())) {
        context.progress(null);
        context.out(`Unit ${name} ${whereTo(units.get(name), machines)}`);
      }
      const { left } = progress;
      context.progress(left.length === 0 ? null : `${left.length} units left on ${shortID}`);
      if (left.length === 0) return true;
      if (!progress.isSlow(performance.now())) return null;
      const stuck = await stuckUnits(
        client,
        left.filter((name) => units.get(name)?.machineID === id),
      );
      if (stuck.length < left.length) return null;
      context.progress(null);
      for (const reason of stuck) context.err(`Error: ${reason}`);
      return false;
    },
    async onSlow() {
      const { left } = progress;
      context.progress(null);
      context.err(`Still waiting for ${left.length} units to leave ${shortID}: ${left.slice(0, 3).join(", ")}`);
    },
    lookAgainMs: () => AGAIN_MS,
  });
  context.progress(null);
  if (result !== null) return result;
  const { length } = progress.left;
  context.err(`Error: timed out: ${length} units are still on ${shortID}; the engine goes on moving them`);
  return false;
}

/** What has become of a unit that has left. */
function whereTo(unit: UnitInfo | undefined, machines: ReadonlyMap<string, MachineInfo>): string {
  if (unit === undefined) return "destroyed";
  if (unit.machineID === null) return "stopped, on no machine yet";
  return `moved to ${machineLegend(unit.machineID, machines, false)}`;
}

/** Why units can't leave; none for those that can. */
async function stuckUnits(client: ClusterClient, names: readonly string[]): Promise<readonly string[]> {
  const reasons = await Promise.all(
    names.map(async (name) => {
      const placement = await client.placement(name);
      if (placement === null || placement.fitting > 1) return null;
      const [most] = placement.reasons;
      return `unit ${name} fits on no other machine${most === undefined ? "" : `: ${most.reason}`}`;
    }),
  );
  return reasons.filter((reason) => reason !== null);
}
