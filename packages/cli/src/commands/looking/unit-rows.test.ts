import { describe, expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { isShown, pendingRows } from "./unit-rows.ts";

const row: StateInfo = {
  ...{ name: "web@1.service", hash: "", machineID: "m1", load: "loaded", active: "active", sub: "running" },
  ...{ error: null, current: "launched", run: null },
};
const all = { names: [], states: [], machineIDs: [] };

describe("a row", () => {
  it.each([
    ["is shown where nothing is asked for", {}, true],
    ["is shown by its name", { names: ["x", "web@1.service"] }, true],
    ["is shown by its name without a type", { names: ["web@1"] }, true],
    ["is shown by a glob", { names: ["web@*"] }, true],
    ["is left out for other names", { names: ["web"] }, false],
    ["is shown by its sub state", { states: ["failed", "running"] }, true],
    ["is shown by its active state", { states: ["active"] }, true],
    ["is left out for other states", { states: ["failed"] }, false],
    ["is shown by its machine", { machineIDs: ["m1"] }, true],
    ["is left out for other machines", { machineIDs: ["m2"] }, false],
    ["is left out where one thing does not match", { names: ["web@1"], machineIDs: ["m2"] }, false],
  ])("%s", (_what, filter, shown) => {
    expect(isShown(row, { ...all, ...filter })).toBe(shown);
  });
});

describe("units that wait for a machine", () => {
  const unit: UnitInfo = {
    ...{ name: "a.service", options: [], desiredState: "launched", currentState: "inactive", machineID: null },
    hasEnded: false,
  };
  it.each([
    ["are those that are wanted and on no machine", unit, [], ["a.service"]],
    ["are not those that are not wanted", { ...unit, desiredState: "inactive" as const }, [], []],
    ["are not those that have a machine", { ...unit, machineID: "m" }, [], []],
    ["are not those that are global", { ...unit, currentState: null }, [], []],
    ["are not those that a machine has not let go of", unit, [{ ...row, name: "a.service" }], []],
  ])("%s", (_what, one, states, names) => {
    expect(pendingRows([one], states).map(({ name }) => name)).toEqual(names);
  });
});
