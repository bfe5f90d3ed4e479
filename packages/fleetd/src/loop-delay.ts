import { monitorEventLoopDelay } from "node:perf_hooks";

/** The timer that measures waits for this long itself, which is no delay. */
const RESOLUTION_MS = 20;
/** How often it is looked whether there is anything to measure. */
const LOOK_MS = 1_000;
/** What counts as at work: more CPU than this in a look. */
const WORK_CPU_MS = 30;
/** Looks at rest before measuring pauses. */
const MOST_RESTING = 5;

/**
 * How long the process has not been able to do anything else, since its start. Measuring wakes the process fifty times a
 * second: it is done while there is work, and pauses at rest, when nothing is there to be held up.
 */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();
  #resting = 0;

  constructor() {
    this.#histogram.enable();
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** @param quantile from 0 to 1; 1 is the longest. In seconds. */
  seconds(quantile: number): number {
    const { max } = this.#histogram;
    const nanoseconds = quantile >= 1 ? max : this.#histogram.percentile(quantile * 100);
    return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
  }

  #look(): void {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    if ((user + system) / 1000 > WORK_CPU_MS) {
      if (this.#resting >= MOST_RESTING) this.#histogram.enable();
      this.#resting = 0;
    } else if (++this.#resting === MOST_RESTING) this.#histogram.disable();
  }
}
