import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { CommandError } from "./errors.ts";

/** Has a child end when this process does, also where that is told to end. */
export function endWithUs(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.removeListener("exit", end));
}

/** Most characters of what a child says on standard error that are kept. */
const MOST_WORDS = 2_000;

/**
 * The lines that a child prints, as they come. It is ended with the signal, and when whoever reads has enough. Where its
 * standard error is a pipe, the last line there is the reason of a failure.
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
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-MOST_WORDS);
  });
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  try {
    if (child.stdout !== null) yield* createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
    const problem = await ended;
    if (problem !== null && !signal.aborted) throw new CommandError(reasonOf(program, problem, words));
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** Why a program failed: by its own last words, where it had some. */
function reasonOf(program: string, problem: string, words: string): string {
  const last = words.trim().split("\n").at(-1)?.trim() ?? "";
  return last === "" ? `${program} ${problem}` : `${program} ${problem}: ${last}`;
}
