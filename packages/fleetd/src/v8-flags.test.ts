import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import type { RoleName } from "./arguments.ts";
import { COLLECTOR_FLAGS, flagsBySize, LARGE_CLUSTER_FLAGS, START_FLAGS, smallClusterFlags } from "./v8-flags.ts";

const all = [...START_FLAGS, ...smallClusterFlags(["engine"]), ...LARGE_CLUSTER_FLAGS, ...COLLECTOR_FLAGS];
const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });

it.each([...new Set(all)])("V8 knows the flag %s, and would ignore one that it does not know", (flag) => {
  const name = flag.replace(/^--(no-)?/, "").replace(/=.*/, "");
  expect(known).toMatch(new RegExp(`^ +--${name} `, "m"));
});

it.each<[readonly RoleName[], boolean]>([
  [["agent"], true],
  [["engine"], true],
  [["api"], false],
  [["agent", "engine", "api"], false],
])("a daemon of %j is without TurboFan while its cluster is small: %s", (roles, isWithout) => {
  expect(smallClusterFlags(roles).includes("--no-opt")).toBe(isWithout);
});

it("what a small cluster saves, a large one gets back", () => {
  expect(smallClusterFlags(["engine"])).toEqual(["--semi-space-growth-factor=1", "--no-maglev", "--no-opt"]);
  expect(LARGE_CLUSTER_FLAGS).toEqual(expect.arrayContaining(["--semi-space-growth-factor=2", "--maglev"]));
});

it("a cluster becomes large once, at 1,000 units, and stays so", () => {
  const set: (readonly string[])[] = [];
  const hear = flagsBySize((flags) => set.push(flags));
  for (const units of [0, 999, 1_000, 5_000, 10, 2_000]) hear(units);
  expect(set).toEqual([LARGE_CLUSTER_FLAGS]);
});
