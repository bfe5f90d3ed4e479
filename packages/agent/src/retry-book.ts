import { backoff } from "@fleet/loop";

/** A unit that something went wrong with: what, and when it is tried again. */
export interface Failure {
  /** What was wanted when it went wrong: a unit of which something else is wanted starts with a clean slate. */
  readonly goal: string;
  readonly hash: string;
  readonly message: string;
  /** How often in a row it went wrong. */
  readonly failures: number;
  readonly pauseMs: number;
  /** By performance.now(). */
  readonly retryAt: number;
}

/** Which units have failed, and when each is tried again: after a pause that grows with each failure. */
export class RetryBook {
  readonly #failures = new Map<string, Failure>();

  of(name: string): Failure | undefined {
    return this.#failures.get(name);
  }

  /** Whether a unit is not to be tried again yet. */
  isWaiting(name: string, now: number): boolean {
    return (this.#failures.get(name)?.retryAt ?? 0) > now;
  }

  /**
   * When the next unit is to be tried again, by performance.now(); null: none is.
   *
   * @param isOnHold units that are not tried for another reason
   */
  nextRetryAt(isOnHold: (name: string) => boolean): number | null {
    let next: number | null = null;
    for (const [name, { retryAt }] of this.#failures) {
      if (!isOnHold(name) && (next === null || retryAt < next)) next = retryAt;
    }
    return next;
  }

  /** Takes note of a failure. */
  failed(name: string, goal: string, hash: string, error: unknown): Failure {
    const message = error instanceof Error ? error.message : String(error);
    const failures = (this.#failures.get(name)?.failures ?? 0) + 1;
    const pauseMs = backoff(failures) * 4;
    const failure = { goal, hash, message, failures, pauseMs, retryAt: performance.now() + pauseMs };
    this.#failures.set(name, failure);
    return failure;
  }

  /** Takes note that what had failed has worked, or is not wanted any more. */
  forget(name: string): void {
    this.#failures.delete(name);
  }

  entries(): Iterable<[string, Failure]> {
    return this.#failures;
  }
}
