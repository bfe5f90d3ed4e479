import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { Judge } from "../../waiting/verdict.ts";

/** How long a unit that fits nowhere else is watched before the drain is called stuck. */
const STUCK_MS = 3_000;
/** How long a unit that has left is given to be placed, and to be up. */
const PLACED_MS = 5_000;
const UP_MS = 90_000;

/**
 * Whether a unit is on the machine that is drained, on its way from there, or has left: it is up elsewhere, in trouble
 * there, or not wanted any more. One that takes longer to come up, or that no machine is found for, is not waited for
 * without end: it has left.
 *
 * @param unit absent: it was destroyed
 * @param states what machines say of the unit
 * @param leftMs for how long the unit has been off the machine
 * @param isSettled whether the unit, on another machine, is up or in trouble there
 */
export function departureOf(
  unit: UnitInfo | undefined,
  states: readonly StateInfo[],
  machineID: string,
  leftMs: number,
  isSettled: () => boolean,
): "here" | "on-its-way" | "left" {
  if (unit?.machineID === machineID || states.some((state) => state.machineID === machineID)) return "here";
  if (unit?.desiredState !== "launched") return "left";
  if (leftMs > (unit.machineID === null ? PLACED_MS : UP_MS)) return "left";
  return isSettled() ? "left" : "on-its-way";
}

/** Which units a drain has yet to move, over readings of the cluster. Times are milliseconds of a clock that only goes forward. */
export class DrainProgress {
  readonly #machineID: string;
  readonly #left = new Set<string>();
  readonly #judge = new Judge({ state: "launched", untilActive: true });
  /** Since when units have been off the machine. */
  readonly #offSince = new Map<string, number>();
  #changedAt: number | null = null;

  constructor(machineID: string) {
    this.#machineID = machineID;
  }

  /** Names of the units that have not left. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** True until states were taken in. The first ones have to be those of all units. */
  get isFirst(): boolean {
    return this.#changedAt === null;
  }

  /** Takes in which units are scheduled to the machine. */
  takeUnits(units: Iterable<UnitInfo>): void {
    for (const { name, machineID } of units) if (machineID === this.#machineID) this.#left.add(name);
  }

  /**
   * Takes in what machines say of units.
   *
   * @returns names of the units that have left since the last time
   */
  takeStates(units: ReadonlyMap<string, UnitInfo>, states: readonly StateInfo[], now: number): readonly string[] {
    // Units that were on their way before this drain was asked for have nothing but a state here.
    if (this.isFirst) for (const name of this.#statedHere(units, states)) this.#left.add(name);
    const byUnit = Map.groupBy(states, ({ name }) => name);
    const gone = this.left.filter((name) => this.#hasLeft(name, units.get(name), byUnit.get(name) ?? [], now));
    for (const name of gone) this.#left.delete(name);
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
      .filter(({ name, machineID }) => machineID === this.#machineID && isScheduled(name))
      .map(({ name }) => name);
  }

  #hasLeft(name: string, unit: UnitInfo | undefined, states: readonly StateInfo[], now: number): boolean {
    const offSince = this.#offSince.get(name) ?? now;
    const departure = departureOf(unit, states, this.#machineID, now - offSince, () => {
      const there = states.find(({ machineID }) => machineID === unit?.machineID);
      const { kind } = this.#judge.judge(name, unit, there, now);
      return kind === "there" || kind === "in-trouble";
    });
    if (departure === "here") {
      this.#offSince.delete(name);
      this.#judge.forget(name);
    } else this.#offSince.set(name, offSince);
    return departure === "left";
  }
}
