import { setTimeout as sleep } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { COLLECTOR_FLAGS, setFlags } from "./v8-flags.ts";

const PAUSE_MS = 10_000;
/** A process that uses less CPU time than this in a pause is at rest. */
const REST_CPU_MS = 100;
/** Larger heaps are left to V8: a whole collection could block the process for too long. */
const MOST_HEAP_BYTES = 128e6;
/** A collection that took longer than this is the last one: the heap holds much that is in use. */
const MOST_COLLECT_MS = 60;
/** Growth of the heap after a burst of work: it is collected at once. */
const BURST_BYTES = 5e6;
/** Growth of the heap at rest, which fills the young generation slowly: it is collected once in DRIFT_MS. */
const DRIFT_BYTES = 1e6;
const DRIFT_MS = 60_000;

/** What the process did in a pause, and what its heap is. */
export interface IdleSample {
  /** CPU time used in the pause, in milliseconds. */
  readonly cpuMs: number;
  readonly heapBytes: number;
  /** Size of the heap after the last collection; 0: there was none. */
  readonly heapAfterBytes: number;
  /** Milliseconds since the last collection, or since the start. */
  readonly sinceCollectionMs: number;
}

/** Whether to collect now: the process is at rest, the heap is not large, and collecting promises to free something. */
export function isWorthCollecting({ cpuMs, heapBytes, heapAfterBytes, sinceCollectionMs }: IdleSample): boolean {
  if (cpuMs >= REST_CPU_MS || heapBytes > MOST_HEAP_BYTES) return false;
  const growth = heapBytes - heapAfterBytes;
  return growth >= BURST_BYTES || (growth >= DRIFT_BYTES && sinceCollectionMs >= DRIFT_MS);
}

/**
 * Gives memory back once the process is at rest. V8 collects by how much is allocated: what a burst of work has left
 * would stay resident for as long as nothing happens. Ends when the signal aborts, and after a collection that took too
 * long.
 */
export async function collectWhenIdle(signal: AbortSignal): Promise<void> {
  let collect: NodeJS.GCFunction | null = null;
  let heapAfterBytes = 0;
  let collectedAt = performance.now();
  while (!signal.aborted) {
    const before = process.cpuUsage();
    await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    const { user, system } = process.cpuUsage(before);
    const { heapTotal: heapBytes } = process.memoryUsage();
    const now = performance.now();
    const sinceCollectionMs = now - collectedAt;
    if (!isWorthCollecting({ cpuMs: (user + system) / 1000, heapBytes, heapAfterBytes, sinceCollectionMs })) continue;
    // This flavor compacts the heap and gives memory back at once. A plain collection keeps half-empty pages.
    collect ??= exposeCollector();
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    collectedAt = performance.now();
    heapAfterBytes = process.memoryUsage().heapTotal;
    if (collectedAt - now > MOST_COLLECT_MS) return;
  }
}

/** V8's function `gc`, which contexts have only under a flag. */
function exposeCollector(): NodeJS.GCFunction {
  setFlags(COLLECTOR_FLAGS);
  return runInNewContext("gc") as NodeJS.GCFunction;
}
