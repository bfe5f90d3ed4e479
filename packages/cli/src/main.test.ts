import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

const MAIN = join(import.meta.dirname, "main.ts");

/** Runs fleetctl as a shell does, with something behind its words. */
function inShell(behind: string): { readonly stderr: string; readonly code: number | null } {
  const line = `set -o pipefail; "$0" --conditions=fleet-source "$1" help ${behind}`;
  const { stderr, status } = spawnSync("bash", ["-c", line, process.execPath, MAIN], { encoding: "utf8" });
  return { stderr, code: status };
}

it("a standard output that is full is one sentence and exit code 1", () => {
  expect(inShell(">/dev/full")).toEqual({
    code: 1,
    stderr: "Error: standard output can't be written: ENOSPC: no space left on device, write\n",
  });
});

it("a reader that goes away, and a standard error that is full, are no error", () => {
  expect(inShell("| true")).toEqual({ code: 0, stderr: "" });
  expect(inShell("2>/dev/full >/dev/null")).toEqual({ code: 0, stderr: "" });
});
