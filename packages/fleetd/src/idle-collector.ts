import { setTimeout as sleep } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { COLLECTOR_FLAGS, setFlags } from "./v8-flags.ts";

const PAUSE_MS = 10_000;
/** What counts as at rest: less CPU than this in a pause. */
const REST_CPU_MS = 100;
/** Heaps beyond this are left to V8: collecting one whole could block the process too long. */
const MOST_HEAP_BYTES = 128e6;
/** A collection that took longer than this is the last one: what is in the heap is not garbage. */
const MOST_COLLECT_MS = 60;
/** Growth that a burst of work leaves: it is collected at once. */
const BURST_BYTES = 5e6;
/** Growth that rest itself brings about, with the young generation: it is collected now and then. */
const DRIFT_BYTES = 1e6;
const DRIFT_MS = 60_000;

/**
 * Gives memory back once the process is at rest: V8 collects by how much is allocated, so that after a burst of work
 * what it left would stay resident for as long as nothing happens.
 */
export async function collectWhenIdle(signal: AbortSignal): Promise<void> {
  let collect: NodeJS.GCFunction | null = null;
  let heapAfter = 0;
  let collectedAt = performance.now();
  while (!signal.aborted) {
    const before = process.cpuUsage();
    await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    const { user, system } = process.cpuUsage(before);
    const { heapTotal } = process.memoryUsage();
    const isAtRest = (user + system) / 1000 < REST_CPU_MS;
    const now = performance.now();
    const growth = heapTotal - heapAfter;
    const isWorthIt = growth >= BURST_BYTES || (growth >= DRIFT_BYTES && now - collectedAt >= DRIFT_MS);
    if (!isAtRest || !isWorthIt || heapTotal > MOST_HEAP_BYTES) continue;
    // Of the last resort: it compacts, and what it frees goes back at once. A plain collection keeps half-empty pages.
    collect ??= exposeCollector();
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    collectedAt = performance.now();
    heapAfter = process.memoryUsage().heapTotal;
    if (collectedAt - now > MOST_COLLECT_MS) return;
  }
}

/** V8's own collector, which a context has only under a flag. */
function exposeCollector(): NodeJS.GCFunction {
  setFlags(COLLECTOR_FLAGS);
  return runInNewContext("gc") as NodeJS.GCFunction;
}
