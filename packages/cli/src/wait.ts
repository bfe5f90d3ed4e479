import { type DesiredState, hashUnitFile } from "@fleet/domain/unit";
import type { FleetClient, MachineInfo, StateInfo, UnitInfo } from "./client/fleet-client.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";
import { type Follower, follow } from "./follow.ts";
import { machineLegend } from "./printing/machine-text.ts";
import { findUnits } from "./units.ts";

/** How long one attempt of --block-attempts stands for. */
const ATTEMPT_MS = 500;
/** A unit that is launched and at rest for so long has run and ended, as a oneshot service does. */
const ENDED_MS = 1_500;
const SAY_AFTER_MS = 5_000;
/** How long a server may be away while something is waited for, and how often it is asked meanwhile. */
const OUTAGE_MS = 120_000;
const AGAIN_MS = 500;
/** From so many units on a terminal shows how far the wait is. */
const MANY = 8;
/** More units than these are not named in the request for their events: all events are followed. */
const MOST_NAMED = 50;

/** What to wait for. */
export interface WaitOptions {
  readonly names: readonly string[];
  readonly state: DesiredState;
  /** Also until systemd says that the unit is up. */
  readonly untilActive: boolean;
  /** 0: without limit. */
  readonly attempts: number;
}

/** Units that are waited for, in one reading of the cluster. */
interface Reading {
  readonly units: ReadonlyMap<string, UnitInfo>;
  readonly states: readonly StateInfo[];
}

/** Follows what may change units: what happens to them. */
export function followUnits(client: FleetClient, names: readonly string[]): Promise<Follower> {
  return follow(client, names.length > MOST_NAMED ? {} : { units: names.map(literal) });
}

/**
 * Looks, and looks again at each change, until a look says that the wait is over or its time is up.
 *
 * @param look returns null to go on, and otherwise what the wait came to
 * @param onSlow called every few seconds
 * @param lookAgainMs when to look again though nothing happens, in milliseconds
 * @returns null where the time was up
 */
export async function untilSettled<T>(
  follower: Follower,
  attempts: number,
  look: () => Promise<T | null>,
  onSlow: () => Promise<void>,
  lookAgainMs: () => number = () => Number.POSITIVE_INFINITY,
): Promise<T | null> {
  const patient = patiently(look);
  const startedAt = performance.now();
  const endsAt = attempts > 0 ? startedAt + attempts * ATTEMPT_MS : Number.POSITIVE_INFINITY;
  let saidAt = startedAt;
  try {
    for (;;) {
      const lookedAt = performance.now();
      const result = await patient();
      if (result !== null) return result;
      const now = performance.now();
      if (now >= endsAt) return null;
      if (now - saidAt > SAY_AFTER_MS) {
        saidAt = now;
        await onSlow().catch(() => undefined); // a server that is away has nothing to say
      }
      // A look at many units costs the server something: while many things change it is not asked for each of them.
      const pauseMs = Math.min(500, now - lookedAt);
      await follower.next(Math.max(1, Math.min(endsAt - now, lookAgainMs())));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(pauseMs, endsAt - performance.now()))));
    }
  } finally {
    follower.stop();
  }
}

/**
 * Makes a look that outlasts a server, or an etcd, that is away for a while: what was asked of the cluster is there
 * when it comes back. The first look fails at once.
 *
 * @returns null for a look that failed so
 */
export function patiently<T>(look: () => Promise<T | null>): () => Promise<T | null> {
  let workedAt: number | null = null;
  return async () => {
    try {
      const result = await look();
      workedAt = performance.now();
      return result;
    } catch (error) {
      const isPassing = error instanceof CommandError && error.isPassing;
      if (!isPassing || workedAt === null || performance.now() - workedAt > OUTAGE_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      return null;
    }
  };
}

/**
 * Waits until units have reached a state, and says so of each as it gets there.
 *
 * @returns whether all got there
 */
export async function waitForUnits(context: Context, options: WaitOptions): Promise<boolean> {
  const client = await context.client();
  const waiting = new Set(options.names);
  const launchedAt = new Map<string, number>();
  let machines: ReadonlyMap<string, MachineInfo> = new Map();
  let isFine = true;
  const look = async (): Promise<boolean | null> => {
    const { units, states } = await read(client, [...waiting]);
    const isKnown = [...units.values()].every(({ machineID }) => machineID === null || machines.has(machineID));
    if (!isKnown) machines = await machineMap(client);
    for (const name of options.names) {
      if (!waiting.has(name)) continue;
      const unit = units.get(name);
      const own = states.find((state) => state.name === name && state.machineID === unit?.machineID);
      const verdict =
        unit === undefined ? "was destroyed while it was waited for" : judge(unit, own, options, launchedAt);
      if (verdict === "wait") continue;
      waiting.delete(name);
      launchedAt.delete(name);
      if (options.names.length > MANY) context.progress(null);
      if (unit?.currentState === options.state) {
        const where = unit.machineID === null ? "" : ` on ${machineLegend(unit.machineID, machines, false)}`;
        context.out(`Unit ${name} ${options.state}${where}`);
      }
      if (verdict !== "there") {
        context.err(`Error: unit ${name} ${verdict}`);
        isFine = false;
      }
    }
    const done = options.names.length - waiting.size;
    if (options.names.length > MANY)
      context.progress(waiting.size === 0 ? null : `${done} of ${options.names.length} units ${options.state}`);
    return waiting.size === 0 ? isFine : null;
  };
  const onSlow = async (): Promise<void> => {
    context.progress(null);
    const why = await whyNot(client, [...waiting]);
    context.err(`Still waiting for ${waiting.size} of ${options.names.length} units: ${why}`);
  };
  const follower = await followUnits(client, options.names);
  // Nothing tells that a unit stays at rest.
  const lookAgainMs = (): number => (launchedAt.size > 0 ? ENDED_MS / 2 : Number.POSITIVE_INFINITY);
  const result = await untilSettled(follower, options.attempts, look, onSlow, lookAgainMs);
  context.progress(null);
  if (result !== null) return result;
  const what = options.untilActive ? `${options.state} and active` : options.state;
  const why = await whyNot(client, [...waiting]);
  context.err(`Error: timed out waiting for ${[...waiting].join(", ")} to be ${what}: ${why}`);
  return false;
}

/**
 * Waits until no machine reports units any more: they have stopped there, and their files are gone.
 *
 * @param attempts 0: without limit
 * @returns false where the time was up, which is said
 */
export async function waitUntilGone(context: Context, names: readonly string[], attempts: number): Promise<boolean> {
  const client = await context.client();
  const waiting = new Set(names);
  let left: readonly string[] = [];
  const look = async (): Promise<true | null> => {
    const states = await statesOf(client, names);
    left = [...new Set(states.map(({ name }) => name).filter((name) => waiting.has(name)))];
    return left.length === 0 ? true : null;
  };
  const onSlow = async (): Promise<void> => {
    const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
    context.err(`Still waiting for machines to unload ${left.slice(0, 3).join(", ")}${more}`);
  };
  const follower = await followUnits(client, names);
  if ((await untilSettled(follower, attempts, look, onSlow)) !== null) return true;
  context.err(`Error: timed out waiting for machines to unload ${left.join(", ")}; they go on with it`);
  return false;
}

/** Machines by ID. */
export async function machineMap(client: FleetClient): Promise<ReadonlyMap<string, MachineInfo>> {
  return new Map((await client.machines()).map((machine) => [machine.id, machine]));
}

/**
 * Whether a unit is where it should be, on its way, or in trouble: then what, as the end of a sentence about it.
 *
 * @param launchedAt when units were first seen launched and at rest, on a clock that only goes forward
 */
export function judge(
  unit: UnitInfo,
  state: StateInfo | undefined,
  options: Pick<WaitOptions, "state" | "untilActive">,
  launchedAt: Map<string, number>,
): "there" | "wait" | string {
  // A machine may still report the version that was there before.
  const own = state?.hash === hashUnitFile(unit.options) ? state : undefined;
  if (own?.error != null) return `could not be brought to ${options.state}: ${own.error}`;
  if (unit.currentState !== options.state) return "wait";
  if (!options.untilActive) return "there";
  if (own === undefined) return "wait";
  if (own.active === "active" || own.active === "reloading") return "there";
  if (own.active === "failed") {
    return `failed (${own.sub}): "fleetctl status ${unit.name}" and "fleetctl journal ${unit.name}" say more`;
  }
  if (own.load !== "" && own.load !== "loaded") return `can't run: systemd says its file is ${own.load}`;
  if (own.active !== "inactive") return "wait";
  const since = launchedAt.get(unit.name) ?? performance.now();
  launchedAt.set(unit.name, since);
  return performance.now() - since >= ENDED_MS ? "there" : "wait";
}

async function read(client: FleetClient, names: readonly string[]): Promise<Reading> {
  const [units, states] = await Promise.all([findUnits(client, names), statesOf(client, names)]);
  return { units, states };
}

/** States of many units, asked for one by one where they are few. */
export async function statesOf(client: FleetClient, names: readonly string[]): Promise<readonly StateInfo[]> {
  if (names.length > MANY) return client.states();
  return (await Promise.all(names.map((name) => client.states(name)))).flat();
}

async function whyNot(client: FleetClient, names: readonly string[]): Promise<string> {
  const { units, states } = await read(client, names);
  const reasons = await Promise.all(
    names.slice(0, 3).map(async (name) => {
      const unit = units.get(name);
      const state = states.find((entry) => entry.name === name && entry.machineID === unit?.machineID);
      if (state?.error != null) return `${name}: ${state.error}`;
      if (unit !== undefined && unit.desiredState !== "inactive" && unit.machineID === null) {
        const placement = await client.placement(name);
        const most = placement?.reasons[0]?.reason;
        return `${name} is on no machine yet${placement?.fitting === 0 && most !== undefined ? `: ${most}` : ""}`;
      }
      return `${name} is ${unit?.currentState ?? "unknown"}${state === undefined ? "" : `, ${state.active} (${state.sub})`}`;
    }),
  );
  return reasons.join("; ") + (names.length > 3 ? `; and ${names.length - 3} more` : "");
}

/** A name as a glob that matches it alone. */
function literal(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}
