import { hashUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { DrainProgress, departureOf } from "./drain-progress.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const on = (machineID: string | null, more: Partial<UnitInfo> = {}): UnitInfo => ({
  name: "a.service",
  options,
  desiredState: "launched",
  currentState: "launched",
  machineID,
  ...more,
});
const says = (machineID: string, active = "active"): StateInfo => ({
  name: "a.service",
  hash: hashUnitFile(options),
  machineID,
  load: "loaded",
  active,
  sub: "-",
  error: null,
});

describe("a unit of a machine that is drained", () => {
  it.each([
    ["is here while it is scheduled there", on("old"), [], 0, true, "here"],
    ["is here while the machine reports it", on("new"), [says("old"), says("new")], 0, true, "here"],
    ["is here while the machine reports it, though it is destroyed", undefined, [says("old")], 0, true, "here"],
    ["is on its way until it is up elsewhere", on("new"), [], 0, false, "on-its-way"],
    ["has left when it is up elsewhere, or in trouble there", on("new"), [], 0, true, "left"],
    ["has left when it has not come up for 90 seconds", on("new"), [], 90_001, false, "left"],
    ["is on its way for 90 seconds", on("new"), [], 90_000, false, "on-its-way"],
    ["is on its way while it has no machine", on(null), [], 5_000, false, "on-its-way"],
    ["has left when no machine was found for 5 seconds", on(null), [], 5_001, false, "left"],
    ["has left when it is destroyed", undefined, [], 0, false, "left"],
    ["has left when it is not to run", on("new", { desiredState: "loaded" }), [], 0, false, "left"],
  ])("%s", (_name, unit, states, leftMs, isSettled, departure) => {
    expect(departureOf(unit, states, "old", leftMs, () => isSettled)).toBe(departure);
  });
});

describe("the progress of a drain", () => {
  const take = (progress: DrainProgress, unit: UnitInfo | undefined, states: readonly StateInfo[], now: number) => {
    const units = new Map(unit === undefined ? [] : [[unit.name, unit]]);
    progress.takeUnits(units.values());
    return progress.takeStates(units, states, now);
  };

  it("is over when each unit is up elsewhere, and each is told of once", () => {
    const progress = new DrainProgress("old");
    expect(take(progress, on("old"), [says("old")], 0)).toEqual([]);
    expect(progress.left).toEqual(["a.service"]);
    expect(take(progress, on("new"), [says("new", "activating")], 1_000)).toEqual([]);
    expect(take(progress, on("new"), [says("new")], 2_000)).toEqual(["a.service"]);
    expect(progress.left).toEqual([]);
    expect(take(progress, on("new"), [says("new")], 3_000)).toEqual([]);
  });
  it("counts units that were leaving before, by what the machine reports at first", () => {
    const progress = new DrainProgress("old");
    take(progress, on("new"), [says("old")], 0);
    expect(progress.left).toEqual(["a.service"]);
  });
  it("does not count what the machine reports later, nor global units", () => {
    const progress = new DrainProgress("old");
    take(progress, undefined, [], 0);
    take(progress, on("new"), [says("old")], 1_000);
    expect(progress.left).toEqual([]);
    const global = new DrainProgress("old");
    take(global, on(null, { currentState: null }), [says("old")], 0);
    expect(global.left).toEqual([]);
  });
  it("is slow when no unit has left for three seconds", () => {
    const progress = new DrainProgress("old");
    expect(progress.isSlow(1e6)).toBe(false);
    take(progress, on("old"), [], 1_000);
    expect(progress.isSlow(3_999)).toBe(false);
    expect(progress.isSlow(4_000)).toBe(true);
    take(progress, on("old"), [], 3_900);
    expect(progress.isSlow(4_000)).toBe(true);
    take(progress, undefined, [], 5_000);
    expect(progress.isSlow(5_001)).toBe(false);
  });
  it("counts the time off the machine anew for a unit that came back", () => {
    const progress = new DrainProgress("old");
    take(progress, on("old"), [], 0);
    take(progress, on(null), [], 1_000);
    take(progress, on("old"), [], 2_000);
    expect(take(progress, on(null), [], 6_500)).toEqual([]);
    expect(take(progress, on(null), [], 11_500)).toEqual([]);
    expect(take(progress, on(null), [], 11_501)).toEqual(["a.service"]);
  });
});
