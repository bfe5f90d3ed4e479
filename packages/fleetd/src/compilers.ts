// Imported before everything else: loading the rest would already bring the compiler into memory.
import { setFlagsFromString } from "node:v8";
import { readArguments } from "./arguments.ts";

/**
 * An agent alone runs without V8's optimizing compiler: what it does is short and spread, and the pages of the compiler,
 * once used, stay resident: some 4 MB.
 */
const invocation = readArguments(process.argv.slice(2));
if (invocation.kind === "run" && invocation.roles.length === 1 && invocation.roles[0] === "agent") {
  setFlagsFromString("--no-opt");
}
