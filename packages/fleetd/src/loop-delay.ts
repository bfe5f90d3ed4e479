import { monitorEventLoopDelay } from "node:perf_hooks";

/** The period of the timer that measures. It is part of what the histogram holds, and not a delay. */
const RESOLUTION_MS = 20;
/** How often the CPU time is looked at. */
const LOOK_MS = 1_000;
/** A process that has used more CPU time than this since the last look is at work. */
const WORK_CPU_MS = 30;
/** So many looks at rest, one after the other, pause the measuring. */
const MOST_RESTING = 5;

/** What a LoopDelay reads. */
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
 * How long work has blocked the event loop, since the start. Measuring wakes the process fifty times a second, so it
 * pauses while the process is at rest and nothing can be blocked.
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

  /**
   * A quantile of all delays, in seconds.
   *
   * @param quantile from 0 to 1; 1: the longest delay
   */
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
