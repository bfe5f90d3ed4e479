import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-lint-"));
  copyFileSync(join(ROOT, "biome.json"), join(folder, "biome.json"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Checks one file by the repository's rules. */
function check(
  path: string,
  text: string,
): { readonly status: number | null; readonly stdout: string; stderr: string } {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  const args = ["check", "--vcs-enabled=false", "--formatter-enabled=false", path];
  return spawnSync(join(ROOT, "node_modules/.bin/biome"), args, { cwd: folder, encoding: "utf8" });
}

const linesOf = (count: number): string => Array.from({ length: count }, (_, line) => `  said(${line});\n`).join("");
const longFunction = (lines: number): string =>
  `export function long(said: (line: number) => void): void {\n${linesOf(lines)}}\n`;
const longGroup = (lines: number): string => `describe("a group of tests", () => {\n${linesOf(lines)}});\n`;
/** Conditions inside conditions: the second costs 2, the third 3, and so on. */
const nestedFunction = (depth: number): string =>
  `export function nested(a: number): number {\n${Array.from({ length: depth }, (_, level) => `if (a > ${level}) {\n`).join("")}return 1;\n${"}\n".repeat(depth)}return 0;\n}\n`;

it.each([
  ["a function of 71 lines", "packages/engine/src/a.ts", longFunction(71), "noExcessiveLinesPerFunction"],
  ["a function of 71 lines of a tool", "faults/a.ts", longFunction(71), "noExcessiveLinesPerFunction"],
  ["a cognitive complexity of 28", "packages/engine/src/a.ts", nestedFunction(7), "noExcessiveCognitiveComplexity"],
  [
    "a cognitive complexity of 28 in a test",
    "packages/engine/src/a.test.ts",
    nestedFunction(7),
    "noExcessiveCognitiveComplexity",
  ],
])("the lint is red for %s", (_what, path, text, rule) => {
  const { status, stdout, stderr } = check(path, text);
  expect(status).toBe(1);
  expect(stdout + stderr).toContain(rule);
});

it.each([
  ["a function of 70 lines", "packages/engine/src/a.ts", longFunction(70)],
  ["a cognitive complexity of 21", "packages/engine/src/a.ts", nestedFunction(6)],
  ["a long group of tests", "packages/engine/src/a.test.ts", longGroup(200)],
  ["a long contract suite", "testbed/a-contract.ts", longGroup(200)],
])("it is green for %s", (_what, path, text) => {
  expect(check(path, text)).toMatchObject({ status: 0 });
});
