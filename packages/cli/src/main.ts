#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { runFleetctl } from "./program.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away, as head does: nothing is wrong, and nobody is left to be told.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

void runFleetctl(process.argv.slice(2), {
  env: process.env,
  write: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
  readFile: (path) => {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return null;
      throw error;
    }
  },
}).then((exitCode) => {
  process.exitCode = exitCode;
});
