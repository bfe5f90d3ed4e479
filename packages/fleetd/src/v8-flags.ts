import { setFlagsFromString } from "node:v8";
import type { RoleName } from "./arguments.ts";

/**
 * The flags of V8 that a daemon runs with. No other file names one. They trade speed for resident memory, of which most
 * daemons need little, and they change at four points of a daemon's life:
 *
 * 1. The process starts with START_FLAGS, which scripts/dist.ts builds into the executable.
 * 2. Before fleetd's own code is loaded, runtime-setup.ts sets `smallClusterFlags`.
 * 3. When an engine hears that its cluster is large, `flagsBySize` sets LARGE_CLUSTER_FLAGS, once and for good.
 * 4. When idle-collector.ts collects for the first time, it sets COLLECTOR_FLAGS.
 *
 * Run from its sources, fleetd has V8's own defaults in place of START_FLAGS.
 */
export function setFlags(flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
}

/**
 * A young generation between 2 MB and 8 MB. V8's own default leaves some 50 MB more resident after a burst of work. V8
 * reads the sizes only while it sets up its heap, so they are given at the start.
 */
export const START_FLAGS: readonly string[] = ["--min-semi-space-size=2", "--max-semi-space-size=8"];

/**
 * Flags for as long as the cluster is small. The young generation keeps its least size, and there are fewer optimizing
 * compilers: the memory that a compiler has used once stays resident.
 *
 * - Maglev is off for all.
 * - TurboFan is off too in a process that has no API. The work of an agent or an engine comes in short pieces, spread
 *   over time, and runs well enough without.
 */
export function smallClusterFlags(roles: readonly RoleName[]): readonly string[] {
  const flags = ["--semi-space-growth-factor=1", "--no-maglev"];
  return roles.length === 1 && !roles.includes("api") ? [...flags, "--no-opt"] : flags;
}

/**
 * Flags for the engine of a large cluster, which makes thousands of decisions in one burst.
 *
 * - The young generation may grow to its full size.
 * - Sparkplug, the baseline compiler, compiles each function at its first call. V8 would first count calls, and a burst
 *   is over before it has counted enough.
 * - Maglev is on. TurboFan is off: its code would run somewhat faster, but takes longer to compile than a burst lasts.
 */
export const LARGE_CLUSTER_FLAGS: readonly string[] = [
  "--semi-space-growth-factor=2",
  "--maglev",
  "--always-sparkplug",
  "--no-opt",
];

/** From so many units on a burst of decisions takes seconds. */
const LARGE_CLUSTER = 1_000;

/**
 * Hears how many units there are, and sets the flags that go with it.
 *
 * @param set how flags are set; by default for this process
 */
export function flagsBySize(set: (flags: readonly string[]) => void = setFlags): (units: number) => void {
  let isLarge = false;
  return (units) => {
    if (isLarge || units < LARGE_CLUSTER) return;
    isLarge = true;
    set(LARGE_CLUSTER_FLAGS);
  };
}

/** Lets a new context have the function `gc`. Given at the start, it would have Node compile its own modules anew. */
export const COLLECTOR_FLAGS: readonly string[] = ["--expose-gc"];
