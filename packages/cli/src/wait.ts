import { setTimeout as sleep } from "node:timers/promises";
import { type DesiredState, hashUnitFile } from "@fleet/registry/model";
import type { FleetClient, MachineInfo, StateInfo, UnitInfo } from "./client/fleet-client.ts";
import type { Context } from "./context.ts";
import { machineLegend } from "./machine-text.ts";
import { findUnits } from "./units.ts";

/** How long one attempt of --block-attempts stands for. */
const ATTEMPT_MS = 500;
/** A unit that is launched and at rest for so long has run and ended, as a oneshot service does. */
const ENDED_MS = 1_500;
const SAY_AFTER_MS = 5_000;

/** What to wait for. */
export interface WaitOptions {
  readonly names: readonly string[];
  readonly state: DesiredState;
  /** Also until systemd says that the unit is up. */
  readonly untilActive: boolean;
  /** 0: without limit. */
  readonly attempts: number;
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
  const startedAt = performance.now();
  const endsAt = options.attempts > 0 ? startedAt + options.attempts * ATTEMPT_MS : Number.POSITIVE_INFINITY;
  let machines: ReadonlyMap<string, MachineInfo> = new Map();
  let pauseMs = 15;
  let saidAt = startedAt;
  let isFine = true;
  for (;;) {
    const units = await findUnits(client, [...waiting]);
    const states = await statesOf(client, [...waiting]);
    for (const name of options.names) {
      if (!waiting.has(name)) continue;
      const unit = units.get(name);
      const own = states.find((state) => state.name === name && state.machineID === unit?.machineID);
      const verdict =
        unit === undefined ? "was destroyed while it was waited for" : judge(unit, own, options, launchedAt);
      if (verdict === "wait") continue;
      waiting.delete(name);
      if (unit?.currentState === options.state) {
        if (unit.machineID !== null && !machines.has(unit.machineID)) machines = await machineMap(client);
        const where = unit.machineID === null ? "" : ` on ${machineLegend(unit.machineID, machines, false)}`;
        context.out(`Unit ${name} ${options.state}${where}`);
      }
      if (verdict !== "there") {
        context.err(`Error: unit ${name} ${verdict}`);
        isFine = false;
      }
    }
    if (waiting.size === 0) return isFine;
    const now = performance.now();
    if (now >= endsAt) {
      const what = options.untilActive ? `${options.state} and active` : options.state;
      context.err(
        `Error: timed out waiting for ${[...waiting].join(", ")} to be ${what}: ${await whyNot(client, [...waiting])}`,
      );
      return false;
    }
    if (now - saidAt > SAY_AFTER_MS) {
      saidAt = now;
      context.err(
        `Still waiting for ${waiting.size} of ${options.names.length} units: ${await whyNot(client, [...waiting])}`,
      );
    }
    await sleep(Math.min(pauseMs, Math.max(1, endsAt - now)));
    pauseMs = Math.min(pauseMs * 1.5, 500);
  }
}

/** Machines by ID. */
export async function machineMap(client: FleetClient): Promise<ReadonlyMap<string, MachineInfo>> {
  return new Map((await client.machines()).map((machine) => [machine.id, machine]));
}

/** Whether a unit is where it should be, on its way, or in trouble: then what, as the end of a sentence about it. */
function judge(
  unit: UnitInfo,
  state: StateInfo | undefined,
  options: WaitOptions,
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
    return `failed (${own.sub}): "systemctl status ${unit.name}" on machine ${unit.machineID} says more`;
  }
  if (own.load !== "" && own.load !== "loaded") return `can't run: systemd says its file is ${own.load}`;
  if (own.active !== "inactive") return "wait";
  const since = launchedAt.get(unit.name) ?? performance.now();
  launchedAt.set(unit.name, since);
  return performance.now() - since >= ENDED_MS ? "there" : "wait";
}

async function statesOf(client: FleetClient, names: readonly string[]): Promise<readonly StateInfo[]> {
  if (names.length > 8) return client.states();
  return (await Promise.all(names.map((name) => client.states(name)))).flat();
}

async function whyNot(client: FleetClient, names: readonly string[]): Promise<string> {
  const units = await findUnits(client, names);
  const states = await statesOf(client, names);
  const reasons = names.slice(0, 3).map((name) => {
    const unit = units.get(name);
    const state = states.find((entry) => entry.name === name && entry.machineID === unit?.machineID);
    if (state?.error != null) return `${name}: ${state.error}`;
    if (unit !== undefined && unit.desiredState !== "inactive" && unit.machineID === null)
      return `${name} is on no machine yet`;
    return `${name} is ${unit?.currentState ?? "unknown"}${state === undefined ? "" : `, ${state.active} (${state.sub})`}`;
  });
  return reasons.join("; ") + (names.length > 3 ? `; and ${names.length - 3} more` : "");
}
