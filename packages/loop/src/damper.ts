/** Writes of one thing that are never held back, while they don't come all the time. */
const FREE = 6;
/** The pause after the first write beyond those, in milliseconds; each further one doubles it. */
const FIRST_PAUSE_MS = 250;
const MOST_PAUSE_MS = 10_000;
/** After so many milliseconds without a write one of them is forgotten. */
const FORGOTTEN_AFTER_MS = 10_000;

/** How often something was written lately, and when it was last. */
interface Written {
  readonly count: number;
  readonly at: number;
}

/**
 * Has things that change all the time written less and less often, each for itself: six times at once, then after pauses
 * that double from a quarter of a second to ten seconds. Who uses it keeps what is not due yet, and writes its newest
 * form when it is: the last one is never lost. Times are its user's, in milliseconds.
 */
export class Damper<Key> {
  readonly #written = new Map<Key, Written>();

  /** From when on a thing may be written again; a time that has passed, or is now: at once. */
  dueAt(key: Key, now: number): number {
    const written = this.#written.get(key);
    if (written === undefined) return now;
    const beyond = countAt(written, now) - FREE + 1;
    return beyond <= 0 ? now : written.at + Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (beyond - 1));
  }

  /** A thing was written. */
  wrote(key: Key, now: number): void {
    const written = this.#written.get(key);
    this.#written.set(key, { count: written === undefined ? 1 : countAt(written, now) + 1, at: now });
  }

  /** A thing is not there any more. */
  forget(key: Key): void {
    this.#written.delete(key);
  }
}

function countAt({ count, at }: Written, now: number): number {
  return Math.max(0, count - Math.floor((now - at) / FORGOTTEN_AFTER_MS));
}
