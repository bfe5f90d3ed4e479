import { hashUnitFile } from "@fleet/domain/unit";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { isActiveAtOnce } from "./active-at-once.ts";
import { type Goal, judge, LASTING, SETTLE_MS, type Sign, type Verdict } from "./verdict.ts";

/** How long a unit that is active as soon as its program is begun has to stay so: one that can't run ends within that. */
const STAYS_UP_MS = 200;

/** Judges units that are looked at again and again, and remembers since when which of them show a sign that may pass. */
export class Judge {
  readonly #goal: Goal;
  readonly #isBegun: (name: string) => boolean;
  readonly #settling = new Map<string, { readonly sign: Sign; readonly since: number; readonly hasSettled: boolean }>();
  /** Since when units that were just begun are up. */
  readonly #upSince = new Map<string, number>();

  /** @param isBegun whether a unit is being started just now, so that it may end at once; absent: none is */
  constructor(goal: Goal, isBegun: (name: string) => boolean = () => false) {
    this.#goal = goal;
    this.#isBegun = isBegun;
  }

  /**
   * @param key of the unit, or of its copy on one machine
   * @param now in milliseconds, on a clock that only goes forward
   */
  judge(key: string, unit: UnitInfo | undefined, state: StateInfo | undefined, now: number): Verdict {
    const verdict = judge(unit, state, this.#goal);
    if (verdict.kind !== "there") this.#upSince.delete(key);
    else if (!this.#staysUp(key, unit, state, now)) return { kind: "on-its-way" };
    const known = this.#settling.get(key);
    if (verdict.kind !== "settling") {
      if (verdict.kind !== "on-its-way" || (known !== undefined && !LASTING.has(known.sign)))
        this.#settling.delete(key);
      return verdict;
    }
    const { sign, becomes } = verdict;
    const since = known?.sign === sign ? known.since : now;
    // What has settled stays so for as long as it is shown.
    const hasSettled = now - since >= SETTLE_MS[sign];
    this.#settling.set(key, { sign, since, hasSettled });
    return hasSettled ? becomes : verdict;
  }

  /** In how many milliseconds time alone changes what is to be said of a unit; Infinity: it never does. */
  nextMs(now: number): number {
    const waiting = [...this.#settling.values()].filter(({ hasSettled }) => !hasSettled);
    const ends = waiting.map(({ sign, since }) => since + SETTLE_MS[sign] - now);
    const stays = [...this.#upSince.values()].map((since) => since + STAYS_UP_MS - now).filter((ms) => ms > 0);
    return Math.max(1, Math.min(Number.POSITIVE_INFINITY, ...ends, ...stays));
  }

  /** What a unit shows counts from its next look again. */
  forget(key: string): void {
    this.#settling.delete(key);
    this.#upSince.delete(key);
  }

  #staysUp(key: string, unit: UnitInfo | undefined, state: StateInfo | undefined, now: number): boolean {
    const isNew = this.#goal.systemd === "up" && unit !== undefined && this.#isBegun(unit.name);
    if (!isNew || state?.hash !== hashUnitFile(unit.options) || !isActiveAtOnce(unit.name, unit.options)) return true;
    const since = this.#upSince.get(key) ?? now;
    this.#upSince.set(key, since);
    return now - since >= STAYS_UP_MS;
  }
}
