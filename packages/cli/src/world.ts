import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { endWithUs, linesOf } from "./child-process.ts";
import { CommandError } from "./errors.ts";
import type { World } from "./program.ts";
import { openScreen } from "./top/screen.ts";

/** How long a command may take to end by itself when it is told to. */
const ENDING_MS = 300;

/** The world as it is: this process's streams, environment and signals, and this machine's files and programs. */
export function realWorld(): World {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      interrupted.abort();
      // A command that follows something ends by itself, and well; what has been asked of the cluster goes on there.
      setTimeout(() => process.exit(signal === "SIGINT" ? 130 : 143), ENDING_MS).unref();
    });
  }
  return {
    env: process.env,
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    isWatched: process.stderr.isTTY === true,
    isTyped: process.stdin.isTTY === true,
    openScreen:
      process.stdin.isTTY === true && process.stdout.isTTY === true
        ? () => openScreen(process.stdin, process.stdout)
        : null,
    terminal: process.stdout.isTTY === true ? { hasColors: process.stdout.hasColors() } : null,
    signal: interrupted.signal,
    localMachineID: readLocalMachineID(),
    drained: async () => {
      if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
    },
    readFile,
    run,
    lines: ([program = "", ...args], signal) =>
      linesOf(spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] }), program, signal),
    output,
  };
}

function readLocalMachineID(): string | null {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() || null;
  } catch {
    return null;
  }
}

function readFile(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return null;
    throw error;
  }
}

function run([program = "", ...args]: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit" });
  endWithUs(child);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new CommandError(`${program} can't be run here: ${error.message}`)));
    child.once("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

function output([program = "", ...args]: readonly string[], timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 };
    execFile(program, args, options, (error, stdout, stderr) => {
      // A program that finds faults ends with an exit code; one that is not there has none.
      resolve(error !== null && typeof error.code !== "number" ? null : stdout + stderr);
    });
  });
}
