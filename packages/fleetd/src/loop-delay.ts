import { monitorEventLoopDelay } from "node:perf_hooks";

/** The timer that measures waits for this long itself, which is no delay. */
const RESOLUTION_MS = 20;

/** How long the process has not been able to do anything else, since its start. */
export class LoopDelay {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
  }

  /** @param quantile from 0 to 1; 1 is the longest. In seconds. */
  seconds(quantile: number): number {
    const { max } = this.#histogram;
    const nanoseconds = quantile >= 1 ? max : this.#histogram.percentile(quantile * 100);
    return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
  }
}
