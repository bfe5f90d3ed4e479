import { backoff } from "./backoff.ts";

/** What a loop does, and when it does it without being asked. */
export interface ReconcileLoopOptions {
  /** One round. Rounds never overlap. Returns milliseconds until the next one is due at the latest. */
  readonly round: () => Promise<number>;
  /** Hears of a round that failed; the next one comes after a pause. */
  readonly onError: (error: unknown) => void;
}

/**
 * The one loop of a reconciler: a round at the start, after each event, and when time is up. Events that come during a
 * round lead to one more round, not to one each.
 */
export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions;
  #isDue = true;
  #wake: (() => void) | null = null;

  constructor(options: ReconcileLoopOptions) {
    this.#options = options;
  }

  /** Something happened that a round should look at. */
  trigger(): void {
    this.#isDue = true;
    this.#wake?.();
  }

  /** Runs until the signal aborts; a round under way is finished. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#isDue = false;
      let pauseMs: number;
      try {
        pauseMs = await this.#options.round();
        failures = 0;
      } catch (error) {
        this.#options.onError(error);
        pauseMs = backoff(failures++);
        this.#isDue = false; // a failing round must not spin on the events that it causes itself
      }
      if (!this.#isDue && !signal.aborted) await this.#pause(pauseMs, signal);
    }
  }

  #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, milliseconds));
      signal.addEventListener("abort", done);
      this.#wake = done;
    });
  }
}
