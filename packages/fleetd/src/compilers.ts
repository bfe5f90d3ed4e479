// Imported before everything else: loading the rest would already bring compilers into memory.
import { setFlagsFromString } from "node:v8";
import { readArguments } from "./arguments.ts";

/**
 * What a daemon needs of Node's own modules, with what they load. Their code comes compiled, which is of use only while
 * V8's flags are those that it was compiled with: it halves the time that loading them takes.
 */
const BUILTINS = ["child_process", "crypto", "dns", "fs/promises", "http2", "perf_hooks", "worker_threads", "zlib"];

/**
 * How V8 runs a daemon. scripts/dist.ts starts it with room for the work of a large cluster; here, where that still has an
 * effect, the room is taken back, until there is such work: pages of a compiler, once used, stay resident.
 *
 * - A young generation of 2 MB.
 * - An agent alone, and an engine alone in a cluster that is not large, do short things, spread over time, and have no
 *   compiler that optimizes; all others have TurboFan.
 */
const invocation = readArguments(process.argv.slice(2));
if (invocation.kind === "run") {
  for (const name of BUILTINS) process.getBuiltinModule(name);
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-maglev");
  if (invocation.roles.length === 1 && invocation.roles[0] !== "api") setFlagsFromString("--no-opt");
}

/**
 * For an engine of a large cluster, which has bursts of thousands of decisions: a young generation of up to 8 MB, and
 * Maglev for what is not compiled yet, which is compiled by the baseline compiler when it is first called: a burst is over
 * before calls have been counted. TurboFan's code would be some faster, but takes longer to make than a burst lasts.
 */
export function prepareForBursts(): void {
  setFlagsFromString("--semi-space-growth-factor=2");
  setFlagsFromString("--maglev");
  setFlagsFromString("--always-sparkplug");
  setFlagsFromString("--no-opt");
}
