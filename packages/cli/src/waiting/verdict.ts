import { conditionOf, type DesiredState, hashUnitFile } from "@fleet/domain/unit";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";

/** Where a unit is to get to. */
export interface Goal {
  readonly state: DesiredState;
  /** Also until systemd says that the unit is up. */
  readonly untilActive: boolean;
}

/** What a look at a unit on its way comes to. */
export type Verdict =
  | { readonly kind: "there" }
  | { readonly kind: "on-its-way" }
  /** Launched, and systemd says that nothing of it runs: it has not begun yet, or it has run and ended. */
  | { readonly kind: "at-rest" }
  /** `why` is the end of a sentence about the unit. */
  | { readonly kind: "in-trouble"; readonly why: string };

/** A unit that is launched and at rest for so long has run and ended, as a oneshot service does. */
export const ENDED_MS = 1_500;

const THERE: Verdict = { kind: "there" };
const ON_ITS_WAY: Verdict = { kind: "on-its-way" };

/**
 * Whether a unit is where it should be, on its way, or in trouble.
 *
 * @param unit absent: it is not in the cluster any more
 * @param state what the unit's machine says of it; absent: nothing yet
 * @param restedMs for how long the unit has been seen at rest
 */
export function judge(
  unit: UnitInfo | undefined,
  state: StateInfo | undefined,
  { state: wanted, untilActive }: Goal,
  restedMs: number,
): Verdict {
  if (unit === undefined) return inTrouble("was destroyed while it was waited for");
  // A machine may still report the version that was there before.
  const current = state?.hash === hashUnitFile(unit.options) ? state : undefined;
  if (current?.error != null) return inTrouble(`could not be brought to ${wanted}: ${current.error}`);
  if (unit.currentState !== wanted) return ON_ITS_WAY;
  if (!untilActive) return THERE;
  return current === undefined ? ON_ITS_WAY : judgeRun(current, restedMs);
}

/** What systemd's word on a unit that is launched comes to. */
function judgeRun(state: StateInfo, restedMs: number): Verdict {
  const { name, load, sub } = state;
  const condition = conditionOf(state);
  if (condition === "up") return THERE;
  if (condition === "failed")
    return inTrouble(`failed (${sub}): "fleetctl status ${name}" and "fleetctl journal ${name}" say more`);
  if (load !== "" && load !== "loaded") return inTrouble(`can't run: systemd says its file is ${load}`);
  if (condition !== "at-rest") return ON_ITS_WAY;
  return restedMs >= ENDED_MS ? THERE : { kind: "at-rest" };
}

function inTrouble(why: string): Verdict {
  return { kind: "in-trouble", why };
}

/** Judges units that are looked at again and again, and remembers since when which of them have been at rest. */
export class Judge {
  readonly #goal: Goal;
  readonly #restsSince = new Map<string, number>();

  constructor(goal: Goal) {
    this.#goal = goal;
  }

  /** Whether a unit is at rest: time alone then changes what is to be said of it. */
  get isTimed(): boolean {
    return this.#restsSince.size > 0;
  }

  /** @param now in milliseconds, on a clock that only goes forward */
  judge(name: string, unit: UnitInfo | undefined, state: StateInfo | undefined, now: number): Verdict {
    const since = this.#restsSince.get(name) ?? now;
    const verdict = judge(unit, state, this.#goal, now - since);
    if (verdict.kind === "at-rest") this.#restsSince.set(name, since);
    else if (verdict.kind !== "on-its-way") this.forget(name);
    return verdict;
  }

  /** A unit's rest counts from its next look again. */
  forget(name: string): void {
    this.#restsSince.delete(name);
  }
}
