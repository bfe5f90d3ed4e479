#!/usr/bin/env node
import { VERSION } from "@fleet/config/version";
import { answer, isAskedBySsh } from "./ssh/askpass.ts";

const args = process.argv.slice(2);

process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  // The reader of a pipe went away, as head does: nothing is wrong, and nobody is left to be told.
  if (code === "EPIPE") process.exit(0);
  process.stderr.write(`Error: standard output can't be written: ${message}\n`);
  process.exit(1);
});
// What can't be said can't be complained of either.
process.stderr.on("error", () => undefined);

if (isAskedBySsh(process.env)) {
  process.exitCode = answer(args[0] ?? "", process.env);
} else if (args.length === 1 && (args[0] === "--version" || args[0] === "-v" || args[0] === "version")) {
  // Scripts ask this often: nothing else is loaded for it.
  process.stdout.write(`fleetctl version ${VERSION}\n`);
} else {
  void start();
}

async function start(): Promise<void> {
  const [{ runFleetctl }, { realWorld }] = await Promise.all([import("./program.ts"), import("./world.ts")]);
  process.exitCode = await runFleetctl(args, realWorld());
}
