/** What is remembered of a unit whose state changes. */
export interface Flaps {
  /** What fleet has made of it: a change of that is no flap. */
  readonly goal: string;
  /** One for each change that was told; half of it is forgotten each minute. */
  readonly penalty: number;
  /** When its last change was told, in milliseconds of any clock. */
  readonly toldAt: number;
}

const HALF_LIFE_MS = 60_000;
/** So many changes are told at once: a start, a stop and a failure with its restart are no flapping. */
const FREE = 5;
const STEP_MS = 1_000;
const MOST_MS = 10_000;

/**
 * When the next change of a unit may be told: the more changes, the longer the pause after the last one. What a change
 * says is its newest state, so the last one is never lost.
 *
 * @param flaps undefined: nothing was told yet
 * @param goal what fleet has made of it by now
 */
export function mayTellAt(flaps: Flaps | undefined, goal: string): number {
  if (flaps === undefined || flaps.goal !== goal) return Number.NEGATIVE_INFINITY;
  return flaps.toldAt + Math.min(MOST_MS, Math.max(0, flaps.penalty - FREE) * STEP_MS);
}

/** What is to be remembered once a change was told. What fleet has done to the unit itself begins anew. */
export function afterTelling(flaps: Flaps | undefined, goal: string, now: number): Flaps {
  if (flaps === undefined || flaps.goal !== goal) return { goal, penalty: 0, toldAt: now };
  const left = flaps.penalty * 0.5 ** ((now - flaps.toldAt) / HALF_LIFE_MS);
  return { goal, penalty: left + 1, toldAt: now };
}
