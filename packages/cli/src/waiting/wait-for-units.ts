import type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { findStates, findUnits, machinesByID } from "../client/find.ts";
import type { Context } from "../context.ts";
import { machineLegend, machineName } from "../printing/machine-text.ts";
import { Copies } from "./copies.ts";
import { followUnits } from "./follow.ts";
import { Judge } from "./judge.ts";
import { untilSettled, type Wait } from "./until-settled.ts";
import type { Goal, Outcome } from "./verdict.ts";
import { whyNot } from "./why-not.ts";

/** For more units than these a terminal shows how far the wait is. */
const MANY = 8;

/** What to wait for. */
export interface WaitOptions extends Goal {
  readonly names: readonly string[];
  /** Names of units with which nothing was done: they are not told of on standard output when they are there. */
  readonly quiet: ReadonlySet<string>;
  /** Infinity: without limit. */
  readonly mostMs: number;
}

/**
 * Waits until units have reached a state, and says so of each as it gets there; global ones on every machine that is to
 * have them.
 *
 * @returns whether all got there
 */
export async function waitForUnits(context: Context, options: WaitOptions): Promise<boolean> {
  const client = await context.client();
  const wait = new WaitForUnits(context, client, options);
  const result = await untilSettled(await followUnits(client, options.names), options.mostMs, wait);
  context.progress(null);
  if (result !== null) return result;
  const why = await whyNot(client, wait.left, options);
  context.err(`Error: timed out waiting for ${wait.left.join(", ")} to be ${goalText(options)}: ${why}`);
  return false;
}

function goalText({ state, systemd }: Goal): string {
  if (systemd === "any") return state;
  return systemd === "up" ? `${state} and active` : `${state} and stopped`;
}

class WaitForUnits implements Wait<boolean> {
  readonly #context: Context;
  readonly #client: ClusterClient;
  readonly #options: WaitOptions;
  readonly #left: Set<string>;
  readonly #judge: Judge;
  readonly #copies = new Map<string, Copies>();
  #machines: ReadonlyMap<string, MachineInfo> = new Map();
  #isFine = true;

  constructor(context: Context, client: ClusterClient, options: WaitOptions) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
    this.#left = new Set(options.names);
    this.#judge = new Judge(options, (name) => !options.quiet.has(name));
  }

  /** Names of the units that are still waited for. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  async look(): Promise<boolean | null> {
    const names = this.left;
    const [units, states] = await Promise.all([findUnits(this.#client, names), findStates(this.#client, names)]);
    const byName = Map.groupBy(states, ({ name }) => name);
    const seen = [...units.values(), ...names.flatMap((name) => byName.get(name) ?? [])];
    if (seen.some(({ machineID }) => machineID !== null && !this.#machines.has(machineID)))
      this.#machines = await machinesByID(this.#client);
    for (const name of names) {
      const unit = units.get(name);
      const own = byName.get(name) ?? [];
      if (unit !== undefined && unit.currentState === null) await this.#takeCopies(unit, own);
      else this.#take(name, unit, own);
    }
    if (this.#isShown) this.#context.progress(this.#left.size === 0 ? null : this.#progress());
    return this.#left.size === 0 ? this.#isFine : null;
  }

  async waitingFor(): Promise<string> {
    const why = await whyNot(this.#client, this.left, this.#options);
    return `Still waiting for ${this.#left.size} of ${this.#options.names.length} units: ${why}`;
  }

  say(line: string): void {
    this.#context.progress(null);
    this.#context.err(line);
  }

  lookAgainMs(): number {
    return this.#judge.nextMs(performance.now());
  }

  get #isShown(): boolean {
    return this.#options.names.length > MANY;
  }

  #progress(): string {
    const { names, state } = this.#options;
    return `${names.length - this.#left.size} of ${names.length} units ${state}`;
  }

  #take(name: string, unit: UnitInfo | undefined, states: readonly StateInfo[]): void {
    // A unit that is on no machine any more may not have been let go of by its last one.
    const own = unit?.machineID == null ? states[0] : states.find(({ machineID }) => machineID === unit.machineID);
    const verdict = this.#judge.judge(name, unit, own, performance.now());
    if (verdict.kind !== "there" && verdict.kind !== "in-trouble") return;
    this.#done(name);
    this.#say(name, unit, verdict);
  }

  async #takeCopies(unit: UnitInfo, states: readonly StateInfo[]): Promise<void> {
    const { name } = unit;
    const copies = this.#copies.get(name) ?? new Copies();
    this.#copies.set(name, copies);
    for (const { machineID, why } of copies.take(unit, states, this.#judge, performance.now()))
      this.#fail(`unit ${name} on ${machineName(machineID, this.#machines)}: ${why}`);
    if (copies.areSettled(states, await this.#leastCopies(unit))) this.#done(name);
  }

  /** On how many machines a global unit has to be; none where the server is too old to say, as then nobody waited. */
  async #leastCopies({ name }: UnitInfo): Promise<number> {
    if (this.#options.systemd !== "up") return 0;
    return (await this.#client.placement(name))?.fitting ?? 0;
  }

  #done(name: string): void {
    this.#left.delete(name);
    if (this.#isShown) this.#context.progress(null);
  }

  #fail(message: string): void {
    this.#context.progress(null);
    this.#context.err(`Error: ${message}`);
    this.#isFine = false;
  }

  #say(name: string, unit: UnitInfo | undefined, outcome: Outcome): void {
    const { state, quiet } = this.#options;
    if (unit?.currentState === state && !quiet.has(name)) {
      const where = unit.machineID === null ? "" : ` on ${machineLegend(unit.machineID, this.#machines, false)}`;
      this.#context.out(`Unit ${name} ${state}${where}`);
    }
    if (outcome.kind === "in-trouble") this.#fail(`unit ${name} ${outcome.why}`);
  }
}
