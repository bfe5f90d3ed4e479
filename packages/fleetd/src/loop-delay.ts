import { monitorEventLoopDelay } from "node:perf_hooks";

/** The timer that measures waits for this long itself, which is no delay. */
const RESOLUTION_MS = 20;
/** How often it is looked whether there is anything to measure. */
const LOOK_MS = 1_000;
/** What counts as at work: more CPU than this in a look. */
const WORK_CPU_MS = 30;
/** Looks at rest before measuring pauses. */
const MOST_RESTING = 5;

/** What a LoopDelay looks at. */
export interface LoopDelaySources {
  /** Measures delays of the event loop, in nanoseconds. */
  readonly histogram: {
    readonly max: number;
    percentile(percentile: number): number;
    enable(): unknown;
    disable(): unknown;
  };
  /** CPU time that the process has used, in milliseconds. */
  readonly cpuMs: () => number;
}

/**
 * How long the process has not been able to do anything else, since its start. Measuring wakes the process fifty times a
 * second: it is done while there is work, and pauses at rest, when nothing is there to be held up.
 */
export class LoopDelay {
  readonly #sources: LoopDelaySources;
  #cpuMs: number;
  #resting = 0;

  constructor(sources: LoopDelaySources = ownProcess()) {
    this.#sources = sources;
    this.#cpuMs = sources.cpuMs();
    sources.histogram.enable();
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** @param quantile from 0 to 1; 1 is the longest. In seconds. */
  seconds(quantile: number): number {
    const { histogram } = this.#sources;
    const nanoseconds = quantile >= 1 ? histogram.max : histogram.percentile(quantile * 100);
    return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
  }

  #look(): void {
    const { histogram, cpuMs } = this.#sources;
    const now = cpuMs();
    const isAtWork = now - this.#cpuMs > WORK_CPU_MS;
    this.#cpuMs = now;
    if (isAtWork) {
      if (this.#resting >= MOST_RESTING) histogram.enable();
      this.#resting = 0;
    } else if (++this.#resting === MOST_RESTING) histogram.disable();
  }
}

function ownProcess(): LoopDelaySources {
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  return { histogram: monitorEventLoopDelay({ resolution: RESOLUTION_MS }), cpuMs };
}
