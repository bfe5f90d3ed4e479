import type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { findStates, machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { machineID, machineLegend, machineName } from "../../printing/machine-text.ts";
import { machinesNamed } from "../../targets/machines.ts";
import { follow } from "../../waiting/follow.ts";
import { untilSettled, type Wait } from "../../waiting/until-settled.ts";
import { reasonOf } from "../../waiting/why-not.ts";
import { DrainProgress } from "./drain-progress.ts";
import { readTimeoutMs, TIMEOUT_FLAG } from "./timeout.ts";

/** When to look again though nothing happens. */
const AGAIN_MS = 1_000;
/** More units than these are not told of one by one while they are waited for. */
const MOST_TOLD = 3;

export const drain: Command = {
  name: "drain",
  args: "<machine...>",
  isChange: true,
  summary: "Move all units away from machines",
  description: `Mark machines unschedulable and move their units away, one after the other: each unit is active on its new machine
before the next one is moved. A unit with Overlap=true in [X-Fleet] is active on its new machine before it stops on the old
one; any other stops first. Global units stay. The machines stay cordoned until "fleetctl uncordon".

Machines are named by host name, address, or the beginning of the ID. The engine makes the moves, and continues when
fleetctl is interrupted. fleetctl waits until the units have stopped on these machines and are active on others. A unit that
fits no other machine stays. In that case, or when a unit does not become active on its new machine, the exit code is 1.`,
  flags: [TIMEOUT_FLAG, { flags: "--no-block", description: "Do not wait until the units are moved" }],
  examples: ["fleetctl drain 2444264c", "fleetctl drain --timeout 600 node1 node2"],
  completes: "machine",
  async run(context, typed, flags) {
    const mostMs = readTimeoutMs(flags);
    const client = await context.client();
    const drained = machinesNamed(await client.machines(), typed);
    const progress = new DrainProgress(drained.map(({ id }) => id));
    // The engine may have moved a unit by the time that the drain is looked at for the first time.
    progress.takeUnits(await client.units());
    for (const { id } of drained) {
      await client.cordon(id, true);
      context.out(`Machine ${machineID(id, false)} draining`);
    }
    if (flags.block === false) return 0;
    return (await untilDrained(context, client, drained, progress, mostMs)) ? 0 : 1;
  },
};

async function untilDrained(
  context: Context,
  client: ClusterClient,
  drained: readonly MachineInfo[],
  progress: DrainProgress,
  mostMs: number,
): Promise<boolean> {
  const wait = new DrainWait(context, client, drained, progress, await machinesByID(client));
  const result = await untilSettled(await follow(client, {}), mostMs, wait);
  context.progress(null);
  if (result !== null) return result;
  context.err(`Error: timed out: ${wait.leftText}; the engine continues`);
  return false;
}

class DrainWait implements Wait<boolean> {
  readonly #context: Context;
  readonly #client: ClusterClient;
  readonly #ids: ReadonlySet<string>;
  readonly #machines: ReadonlyMap<string, MachineInfo>;
  readonly #progress: DrainProgress;
  readonly #where: string;
  #units: ReadonlyMap<string, UnitInfo> = new Map();
  #states: readonly StateInfo[] = [];
  #isFine = true;

  constructor(
    context: Context,
    client: ClusterClient,
    drained: readonly MachineInfo[],
    progress: DrainProgress,
    machines: ReadonlyMap<string, MachineInfo>,
  ) {
    this.#context = context;
    this.#client = client;
    this.#ids = new Set(drained.map(({ id }) => id));
    this.#machines = machines;
    this.#progress = progress;
    this.#where = drained.map(({ id }) => machineName(id, machines)).join(", ");
  }

  get leftText(): string {
    const { length } = this.#progress.left;
    return `${length} ${length === 1 ? "unit has" : "units have"} not left ${this.#where} yet`;
  }

  async look(): Promise<boolean | null> {
    const progress = this.#progress;
    this.#units = new Map((await this.#client.units()).map((unit) => [unit.name, unit]));
    progress.takeUnits(this.#units.values());
    this.#states = progress.isFirst ? await this.#client.states() : await findStates(this.#client, progress.left);
    for (const { name, why } of progress.takeStates(this.#units, this.#states, performance.now())) this.#say(name, why);
    const { left } = progress;
    this.#context.progress(left.length === 0 ? null : `${left.length} units left on ${this.#where}`);
    if (left.length === 0) return this.#isFine;
    return progress.isSlow(performance.now()) && (await this.#isStuck(left)) ? false : null;
  }

  async waitingFor(): Promise<string> {
    const { left } = this.#progress;
    const goal = { state: "launched", systemd: "up" } as const;
    const told = left.slice(0, MOST_TOLD).map((name) => {
      const states = this.#states.filter((state) => state.name === name);
      return reasonOf(name, this.#units.get(name), states, null, goal, this.#machines);
    });
    const more = left.length > MOST_TOLD ? `; and ${left.length - MOST_TOLD} more` : "";
    return `Still waiting: ${this.leftText}: ${told.join("; ")}${more}`;
  }

  say(line: string): void {
    this.#context.progress(null);
    this.#context.err(line);
  }

  lookAgainMs(): number {
    return AGAIN_MS;
  }

  /** Tells what has become of a unit that has left. */
  #say(name: string, why: string | null): void {
    this.#context.progress(null);
    const unit = this.#units.get(name);
    if (unit === undefined) this.#context.out(`Unit ${name} destroyed`);
    else if (unit.machineID === null) {
      if (why === null) this.#context.out(`Unit ${name} stopped, not placed`);
    } else this.#context.out(`Unit ${name} moved to ${machineLegend(unit.machineID, this.#machines, false)}`);
    if (why === null) return;
    const where = unit?.machineID == null ? "" : ` on ${machineName(unit.machineID, this.#machines)}`;
    this.#context.err(`Error: unit ${name}${where} ${why}`);
    this.#isFine = false;
  }

  /** Whether none of the units can leave, which is told with why. */
  async #isStuck(left: readonly string[]): Promise<boolean> {
    const here = left.filter((name) => this.#ids.has(this.#units.get(name)?.machineID ?? ""));
    const stuck = await stuckUnits(this.#client, here);
    if (stuck.length < left.length) return false;
    this.#context.progress(null);
    for (const reason of stuck) this.#context.err(`Error: ${reason}`);
    return true;
  }
}

/** Why units can't leave; none for those that can. */
async function stuckUnits(client: ClusterClient, names: readonly string[]): Promise<readonly string[]> {
  const reasons = await Promise.all(
    names.map(async (name) => {
      const placement = await client.placement(name);
      if (placement === null || placement.fitting > 1) return null;
      const [most] = placement.reasons;
      return `unit ${name} fits no other machine${most === undefined ? "" : `: ${most.reason}`}`;
    }),
  );
  return reasons.filter((reason) => reason !== null);
}
