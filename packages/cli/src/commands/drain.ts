import type { FleetClient, MachineInfo, UnitInfo } from "../client/fleet-client.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { follow } from "../follow.ts";
import { machineID, machineLegend } from "../machine-text.ts";
import { machineMap, untilSettled } from "../wait.ts";
import { onlyMachine } from "./targets.ts";

/** How long a unit that fits nowhere else is watched before the drain is called stuck. */
const STUCK_MS = 3_000;

export const drain: Command = {
  name: "drain",
  args: "<machine>",
  summary: "Move all units away from a machine",
  description: `Have a machine get no new units, and move those that it has away, one after the other: each is active on its new
machine before the next one is moved. A unit with Overlap=true in [X-Fleet] is active there before it stops here; any other
stops first. Global units stay. The machine stays cordoned: "fleetctl uncordon" has it take units again.

The engine does the work: it goes on when fleetctl is interrupted. A unit that fits nowhere else stays where it is,
and the exit code is 1.`,
  flags: [
    { flags: "--timeout <seconds>", description: "Stop waiting after so many seconds; 0: never", default: "0" },
    { flags: "--no-block", description: "Do not wait until the units have left" },
  ],
  examples: ["fleetctl drain 2444264c", "fleetctl drain --timeout 600 2444264c"],
  completes: "machine",
  async run(context, [typed = ""], flags) {
    const timeout = Number(flags.timeout);
    if (!Number.isFinite(timeout) || timeout < 0)
      throw new CommandError(`invalid --timeout ${JSON.stringify(flags.timeout)}: expected seconds`);
    const client = await context.client();
    const machine = onlyMachine(await client.machines(), typed);
    await client.cordon(machine.id, true);
    context.out(`Machine ${machineID(machine.id, false)} draining`);
    if (flags.block === false) return 0;
    return (await untilDrained(context, client, machine, timeout)) ? 0 : 1;
  },
};

async function untilDrained(
  context: Context,
  client: FleetClient,
  { id }: MachineInfo,
  timeout: number,
): Promise<boolean> {
  const machines = await machineMap(client);
  let left = new Set<string>();
  let changedAt = performance.now();
  let isFirst = true;
  const look = async (): Promise<boolean | null> => {
    const units = new Map((await client.units()).map((unit) => [unit.name, unit]));
    const now = new Set([...units.values()].filter(({ machineID: on }) => on === id).map(({ name }) => name));
    for (const name of left) {
      if (now.has(name)) continue;
      changedAt = performance.now();
      context.progress(null);
      context.out(`Unit ${name} ${whereTo(units.get(name), machines)}`);
    }
    if (isFirst) changedAt = performance.now();
    isFirst = false;
    left = now;
    context.progress(left.size === 0 ? null : `${left.size} units left on ${machineID(id, false)}`);
    if (left.size === 0) return true;
    if (performance.now() - changedAt < STUCK_MS) return null;
    const stuck = await stuckUnits(client, [...left]);
    if (stuck.length < left.size) return null;
    context.progress(null);
    for (const reason of stuck) context.err(`Error: ${reason}`);
    return false;
  };
  const onSlow = async (): Promise<void> => {
    context.progress(null);
    context.err(
      `Still waiting for ${left.size} units to leave ${machineID(id, false)}: ${[...left].slice(0, 3).join(", ")}`,
    );
  };
  const follower = await follow(client, {});
  const result = await untilSettled(follower, timeout * 2, look, onSlow, () => STUCK_MS);
  context.progress(null);
  if (result !== null) return result;
  context.err(
    `Error: timed out: ${left.size} units are still on ${machineID(id, false)}; the engine goes on moving them`,
  );
  return false;
}

function whereTo(unit: UnitInfo | undefined, machines: ReadonlyMap<string, MachineInfo>): string {
  if (unit === undefined) return "destroyed";
  if (unit.machineID === null) return "stopped, on its way";
  return `moved to ${machineLegend(unit.machineID, machines, false)}`;
}

/** Why units can't leave; none for those that can. */
async function stuckUnits(client: FleetClient, names: readonly string[]): Promise<readonly string[]> {
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
