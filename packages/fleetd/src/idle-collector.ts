import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 10_000;
/** What counts as at rest: less CPU than this in a pause. */
const REST_CPU_MS = 100;
/** Heaps beyond this are left to V8: collecting one whole would block the process too long. */
const MOST_HEAP_BYTES = 48e6;
const GROWN_BYTES = 1e6;

/**
 * Gives memory back once the process is at rest: V8 collects by how much is allocated, so that after a burst of work
 * what it left would stay resident for as long as nothing happens.
 */
export async function collectWhenIdle(signal: AbortSignal): Promise<void> {
  // The executables are built with --expose-gc; from its sources the daemon does without.
  const { gc: collect } = globalThis;
  if (collect === undefined) return;
  let heapAfter = 0;
  while (!signal.aborted) {
    const before = process.cpuUsage();
    await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    const { user, system } = process.cpuUsage(before);
    const { heapTotal } = process.memoryUsage();
    const isAtRest = (user + system) / 1000 < REST_CPU_MS;
    if (!isAtRest || heapTotal > MOST_HEAP_BYTES || heapTotal < heapAfter + GROWN_BYTES) continue;
    collect();
    heapAfter = process.memoryUsage().heapTotal;
  }
}
