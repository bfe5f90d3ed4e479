import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { Judge } from "../../waiting/judge.ts";
import type { Verdict } from "../../waiting/verdict.ts";

/** How long a unit that fits nowhere else is watched before the drain is called stuck. */
const STUCK_MS = 3_000;
/** How long a unit that has left is given to be placed, and to be up. */
const PLACED_MS = 5_000;
const UP_MS = 90_000;
/** How long it has to stay up: systemd calls a simple service active before it knows that its program fails. */
const STAYS_UP_MS = 1_000;

/** How far a unit is from a machine that is drained. */
export type Departure =
  | { readonly kind: "here" }
  | { readonly kind: "on-its-way" }
  /** It has left, and is up elsewhere or not wanted any more. */
  | { readonly kind: "left" }
  /** It has left, and is not up. `why` is the end of a sentence about it. */
  | { readonly kind: "in-trouble"; readonly why: string };

/**
 * How far a unit is from machines that are drained. One that takes long to come up, or that no machine is found for, is
 * not waited for without end.
 *
 * @param unit absent: it was destroyed
 * @param states what machines say of the unit
 * @param drained IDs of the machines
 * @param leftMs for how long the unit has been off them
 * @param verdictThere how the unit does on another machine
 */
export function departureOf(
  unit: UnitInfo | undefined,
  states: readonly StateInfo[],
  drained: ReadonlySet<string>,
  leftMs: number,
  verdictThere: () => Verdict,
): Departure {
  const isThere = unit?.machineID != null && drained.has(unit.machineID);
  if (isThere || states.some(({ machineID }) => drained.has(machineID))) return { kind: "here" };
  if (unit?.desiredState !== "launched") return { kind: "left" };
  if (unit.machineID === null) {
    return leftMs > PLACED_MS ? { kind: "in-trouble", why: "has stopped and is not placed yet" } : ON_ITS_WAY;
  }
  const verdict = verdictThere();
  if (verdict.kind === "there") return { kind: "left" };
  if (verdict.kind === "in-trouble") return verdict;
  if (leftMs <= UP_MS) return ON_ITS_WAY;
  const own = states.find(({ machineID }) => machineID === unit.machineID);
  const is = own === undefined ? unit.currentState : `${own.active} (${own.sub})`;
  return { kind: "in-trouble", why: `is not active after ${UP_MS / 1000} s: it is ${is}` };
}

const ON_ITS_WAY: Departure = { kind: "on-its-way" };

/** A unit that is on none of the drained machines any more. */
export interface Departed {
  readonly name: string;
  /** Why it is not up, as the end of a sentence about it; null: it is, or is not wanted any more. */
  readonly why: string | null;
}

/** Which units drains have yet to move, over readings of the cluster. Times are milliseconds of a clock that only goes forward. */
export class DrainProgress {
  readonly #drained: ReadonlySet<string>;
  readonly #left = new Set<string>();
  readonly #judge = new Judge({ state: "launched", systemd: "up" });
  /** Since when units have been off the machines. */
  readonly #offSince = new Map<string, number>();
  /** Since when units have been up on another machine. */
  readonly #upSince = new Map<string, number>();
  #changedAt: number | null = null;

  /** @param drained IDs of the machines */
  constructor(drained: Iterable<string>) {
    this.#drained = new Set(drained);
  }

  /** Names of the units that have not left. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** True until states were taken in. The first ones have to be those of all units. */
  get isFirst(): boolean {
    return this.#changedAt === null;
  }

  /** Takes in which units are scheduled to the machines. */
  takeUnits(units: Iterable<UnitInfo>): void {
    for (const { name, machineID } of units)
      if (machineID !== null && this.#drained.has(machineID)) this.#left.add(name);
  }

  /**
   * Takes in what machines say of units.
   *
   * @returns units that have left since the last time
   */
  takeStates(units: ReadonlyMap<string, UnitInfo>, states: readonly StateInfo[], now: number): readonly Departed[] {
    // Units that were on their way before this drain was asked for have nothing but a state here.
    if (this.isFirst) for (const name of this.#statedHere(units, states)) this.#left.add(name);
    const byUnit = Map.groupBy(states, ({ name }) => name);
    const gone = this.left.flatMap((name): readonly Departed[] => {
      const departure = this.#departureOf(name, units.get(name), byUnit.get(name) ?? [], now);
      if (departure.kind === "in-trouble") return [{ name, why: departure.why }];
      return departure.kind === "left" ? [{ name, why: null }] : [];
    });
    for (const { name } of gone) this.#left.delete(name);
    if (gone.length > 0 || this.isFirst) this.#changedAt = now;
    return gone;
  }

  /** Whether no unit has left for so long that there may be none that can. */
  isSlow(now: number): boolean {
    return this.#changedAt !== null && now - this.#changedAt >= STUCK_MS;
  }

  #statedHere(units: ReadonlyMap<string, UnitInfo>, states: readonly StateInfo[]): readonly string[] {
    const isScheduled = (name: string): boolean => units.has(name) && units.get(name)?.currentState !== null;
    return states
      .filter(({ name, machineID }) => this.#drained.has(machineID) && isScheduled(name))
      .map(({ name }) => name);
  }

  #departureOf(name: string, unit: UnitInfo | undefined, states: readonly StateInfo[], now: number): Departure {
    const offSince = this.#offSince.get(name) ?? now;
    const departure = departureOf(unit, states, this.#drained, now - offSince, () => {
      const there = states.find(({ machineID }) => machineID === unit?.machineID);
      return this.#stays(name, this.#judge.judge(name, unit, there, now), now);
    });
    if (departure.kind === "here") {
      this.#offSince.delete(name);
      this.#judge.forget(name);
    } else this.#offSince.set(name, offSince);
    return departure;
  }

  /** A unit that is up is so once it has stayed so. */
  #stays(name: string, verdict: Verdict, now: number): Verdict {
    const since = this.#upSince.get(name) ?? now;
    if (verdict.kind === "there") this.#upSince.set(name, since);
    else this.#upSince.delete(name);
    return verdict.kind === "there" && now - since < STAYS_UP_MS ? { kind: "on-its-way" } : verdict;
  }
}
