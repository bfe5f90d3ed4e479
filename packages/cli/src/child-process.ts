import type { ChildProcess } from "node:child_process";

/** Has a child end when this process does, also where that is told to end. */
export function endWithUs(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.removeListener("exit", end));
}
