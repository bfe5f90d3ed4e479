import type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { findStates, findUnits, machinesByID } from "../client/find.ts";
import type { Context } from "../context.ts";
import { machineLegend } from "../printing/machine-text.ts";
import { followUnits } from "./follow.ts";
import { untilSettled, type Wait } from "./until-settled.ts";
import { ENDED_MS, type Goal, Judge, type Verdict } from "./verdict.ts";
import { whyNot } from "./why-not.ts";

/** For more units than these a terminal shows how far the wait is. */
const MANY = 8;

/** What to wait for. */
export interface WaitOptions extends Goal {
  readonly names: readonly string[];
  /** Infinity: without limit. */
  readonly mostMs: number;
}

/**
 * Waits until units have reached a state, and says so of each as it gets there.
 *
 * @returns whether all got there
 */
export async function waitForUnits(context: Context, options: WaitOptions): Promise<boolean> {
  const client = await context.client();
  const wait = new WaitForUnits(context, client, options);
  const result = await untilSettled(await followUnits(client, options.names), options.mostMs, wait);
  context.progress(null);
  if (result !== null) return result;
  const what = options.untilActive ? `${options.state} and active` : options.state;
  const why = await whyNot(client, wait.left);
  context.err(`Error: timed out waiting for ${wait.left.join(", ")} to be ${what}: ${why}`);
  return false;
}

class WaitForUnits implements Wait<boolean> {
  readonly #context: Context;
  readonly #client: ClusterClient;
  readonly #options: WaitOptions;
  readonly #left: Set<string>;
  readonly #judge: Judge;
  #machines: ReadonlyMap<string, MachineInfo> = new Map();
  #isFine = true;

  constructor(context: Context, client: ClusterClient, options: WaitOptions) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
    this.#left = new Set(options.names);
    this.#judge = new Judge(options);
  }

  /** Names of the units that are still waited for. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  async look(): Promise<boolean | null> {
    const names = this.left;
    const [units, states] = await Promise.all([findUnits(this.#client, names), findStates(this.#client, names)]);
    const isKnown = [...units.values()].every(({ machineID }) => machineID === null || this.#machines.has(machineID));
    if (!isKnown) this.#machines = await machinesByID(this.#client);
    for (const name of names) {
      const unit = units.get(name);
      const own = states.find((state) => state.name === name && state.machineID === unit?.machineID);
      this.#take(name, unit, own);
    }
    if (this.#isShown) this.#context.progress(this.#left.size === 0 ? null : this.#progress());
    return this.#left.size === 0 ? this.#isFine : null;
  }

  async onSlow(): Promise<void> {
    this.#context.progress(null);
    const why = await whyNot(this.#client, this.left);
    this.#context.err(`Still waiting for ${this.#left.size} of ${this.#options.names.length} units: ${why}`);
  }

  /** No change of the cluster tells that a unit stays at rest. */
  lookAgainMs(): number {
    return this.#judge.isTimed ? ENDED_MS / 2 : Number.POSITIVE_INFINITY;
  }

  get #isShown(): boolean {
    return this.#options.names.length > MANY;
  }

  #progress(): string {
    const { names, state } = this.#options;
    return `${names.length - this.#left.size} of ${names.length} units ${state}`;
  }

  #take(name: string, unit: UnitInfo | undefined, state: StateInfo | undefined): void {
    const verdict = this.#judge.judge(name, unit, state, performance.now());
    if (verdict.kind === "on-its-way" || verdict.kind === "at-rest") return;
    this.#left.delete(name);
    if (this.#isShown) this.#context.progress(null);
    this.#say(name, unit, verdict);
  }

  #say(name: string, unit: UnitInfo | undefined, verdict: Verdict): void {
    const { state } = this.#options;
    if (unit?.currentState === state) {
      const where = unit.machineID === null ? "" : ` on ${machineLegend(unit.machineID, this.#machines, false)}`;
      this.#context.out(`Unit ${name} ${state}${where}`);
    }
    if (verdict.kind !== "in-trouble") return;
    this.#context.err(`Error: unit ${name} ${verdict.why}`);
    this.#isFine = false;
  }
}
