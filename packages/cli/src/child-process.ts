import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { CommandError } from "./errors.ts";

/** Has a child end when this process does, also where that is told to end. */
export function endWithUs(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.removeListener("exit", end));
}

/**
 * The lines that a child prints, as they come. It is ended with the signal, and when whoever reads has enough.
 *
 * @throws CommandError where it can't be started, or ends with another exit code than 0
 */
export async function* linesOf(child: ChildProcess, program: string, signal: AbortSignal): AsyncGenerator<string> {
  endWithUs(child);
  const end = (): void => void child.kill("SIGTERM");
  const ended = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`can't be run here: ${error.message}`));
    child.once("exit", (code, by) => resolve(code === 0 ? null : `ended with ${code ?? by}`));
  });
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  try {
    if (child.stdout !== null) yield* createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
    const problem = await ended;
    if (problem !== null && !signal.aborted) throw new CommandError(`${program} ${problem}`);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
