import type { FleetClient, MachineInfo, StateInfo, UnitInfo } from "../../client/fleet-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { follow } from "../../follow.ts";
import { machineID, machineLegend } from "../../printing/machine-text.ts";
import { judge, machineMap, statesOf, untilSettled } from "../../wait.ts";
import { onlyMachine } from "../targets.ts";

/** How long a unit that fits nowhere else is watched before the drain is called stuck. */
const STUCK_MS = 3_000;
/** How long a unit that has left is given to be placed, and to be up. */
const PLACED_MS = 5_000;
const UP_MS = 90_000;
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
  const leaving = new Set<string>();
  const since: Since = { left: new Map(), launched: new Map() };
  let changedAt = performance.now();
  let isFirst = true;
  const look = async (): Promise<boolean | null> => {
    const units = new Map((await client.units()).map((unit) => [unit.name, unit]));
    for (const { name, machineID: on } of units.values()) if (on === id) leaving.add(name);
    // Units that were on their way before this drain was asked for have nothing but a state here.
    const states = isFirst ? await client.states() : await statesOf(client, [...leaving]);
    if (isFirst) {
      changedAt = performance.now();
      const isOwn = (name: string): boolean => units.has(name) && units.get(name)?.currentState !== null;
      for (const { name, machineID: on } of states) if (on === id && isOwn(name)) leaving.add(name);
    }
    isFirst = false;
    const byName = Map.groupBy(states, ({ name }) => name);
    for (const name of leaving) {
      const unit = units.get(name);
      if (!hasLeft(unit, byName.get(name) ?? [], id, since)) continue;
      leaving.delete(name);
      changedAt = performance.now();
      context.progress(null);
      context.out(`Unit ${name} ${whereTo(unit, machines)}`);
    }
    context.progress(leaving.size === 0 ? null : `${leaving.size} units left on ${machineID(id, false)}`);
    if (leaving.size === 0) return true;
    if (performance.now() - changedAt < STUCK_MS) return null;
    const here = [...leaving].filter((name) => units.get(name)?.machineID === id);
    const stuck = await stuckUnits(client, here);
    if (stuck.length < leaving.size) return null;
    context.progress(null);
    for (const reason of stuck) context.err(`Error: ${reason}`);
    return false;
  };
  const onSlow = async (): Promise<void> => {
    context.progress(null);
    context.err(
      `Still waiting for ${leaving.size} units to leave ${machineID(id, false)}: ${[...leaving].slice(0, 3).join(", ")}`,
    );
  };
  const follower = await follow(client, {});
  const result = await untilSettled(follower, timeout * 2, look, onSlow, () => AGAIN_MS);
  context.progress(null);
  if (result !== null) return result;
  context.err(
    `Error: timed out: ${leaving.size} units are still on ${machineID(id, false)}; the engine goes on moving them`,
  );
  return false;
}

/** Since when units have been off the machine, and at rest on another, on a clock that only goes forward. */
interface Since {
  readonly left: Map<string, number>;
  readonly launched: Map<string, number>;
}

/**
 * Whether a unit has stopped on the machine and is up elsewhere, is in trouble there, or is not wanted any more. One that
 * takes longer to come up, or that nothing is found for, is not waited for without end: it has left.
 */
function hasLeft(unit: UnitInfo | undefined, states: readonly StateInfo[], id: string, since: Since): boolean {
  if (unit?.machineID === id || states.some(({ machineID: on }) => on === id)) {
    if (unit !== undefined) for (const times of [since.left, since.launched]) times.delete(unit.name);
    return false;
  }
  if (unit?.desiredState !== "launched") return true;
  const now = performance.now();
  const leftAt = since.left.get(unit.name) ?? now;
  since.left.set(unit.name, leftAt);
  if (now - leftAt > (unit.machineID === null ? PLACED_MS : UP_MS)) return true;
  const there = states.find(({ machineID: on }) => on === unit.machineID);
  return judge(unit, there, { state: "launched", untilActive: true }, since.launched) !== "wait";
}

function whereTo(unit: UnitInfo | undefined, machines: ReadonlyMap<string, MachineInfo>): string {
  if (unit === undefined) return "destroyed";
  if (unit.machineID === null) return "stopped, on no machine yet";
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
