import { constants } from "node:os";
import type { RunResult } from "@fleet/domain/unit";
import { type Manager, systemdErrorOf } from "./manager.ts";
import { RUN_PROPERTIES, resultInterface } from "./wire.ts";

/** How a main process ended, in the numbers of waitid(2). */
const EXITED = 1;
const ENDED_BY_SIGNAL: ReadonlySet<unknown> = new Set([2, 3]);

/** How units have run, as systemd remembers it of those that it holds in memory. */
export class RunResults {
  readonly #manager: Manager;

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  /** Results by name, where there is something to tell: a failure, or restarts. */
  async of(names: readonly string[]): Promise<ReadonlyMap<string, RunResult>> {
    const held = await this.#manager.activeStates(names);
    const results = await Promise.all([...held.keys()].map(async (name) => [name, await this.#read(name)] as const));
    const told = new Map<string, RunResult>();
    for (const [name, run] of results) if (run !== null) told.set(name, run);
    return told;
  }

  async #read(name: string): Promise<RunResult | null> {
    const owner = resultInterface(name);
    if (owner === null) return null;
    const [result, exitCode, exitStatus, restarts] = await Promise.all([
      this.#property(name, owner, RUN_PROPERTIES.result),
      ...(name.endsWith(".service")
        ? [RUN_PROPERTIES.exitCode, RUN_PROPERTIES.exitStatus, RUN_PROPERTIES.restarts].map((property) =>
            this.#property(name, owner, property),
          )
        : []),
    ]);
    return runResult(String(result ?? "success"), Number(exitCode), Number(exitStatus), Number(restarts ?? 0));
  }

  /** A property; undefined where this systemd does not have it, or the unit is gone meanwhile. */
  async #property(name: string, owner: string, property: string): Promise<unknown> {
    try {
      return await this.#manager.propertyOf(name, owner, property);
    } catch (error) {
      if (systemdErrorOf(error).unavailable) throw error;
      return undefined;
    }
  }
}

/** What systemd's numbers say of a run; null: nothing to tell. */
export function runResult(result: string, exitCode: number, exitStatus: number, restarts: number): RunResult | null {
  if (result === "success" && restarts === 0) return null;
  return {
    result,
    exitStatus: exitCode === EXITED ? exitStatus : null,
    exitSignal: ENDED_BY_SIGNAL.has(exitCode) ? signalName(exitStatus) : null,
    restarts,
  };
}

function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}
