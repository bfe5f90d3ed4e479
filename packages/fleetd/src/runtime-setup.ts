// main.ts imports this before everything else: loading the rest of the program already uses the compilers that are
// turned off here, and the memory that they have used once stays resident.
import { readArguments } from "./arguments.ts";
import { setFlags, smallClusterFlags } from "./v8-flags.ts";

/**
 * The modules of Node's own that a daemon uses, with what they import. Node ships their code compiled, but V8 takes
 * compiled code only under the flags that it was compiled with. Loaded before the flags change, they take half the
 * time.
 */
const BUILTINS = ["child_process", "crypto", "dns", "fs/promises", "http2", "perf_hooks", "worker_threads", "zlib"];

const invocation = readArguments(process.argv.slice(2));
if (invocation.kind === "run") {
  for (const name of BUILTINS) process.getBuiltinModule(name);
  setFlags(smallClusterFlags(invocation.roles));
}
