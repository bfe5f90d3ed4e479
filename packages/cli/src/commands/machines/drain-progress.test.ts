import { hashUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import type { Verdict } from "../../waiting/verdict.ts";
import { DrainProgress, departureOf } from "./drain-progress.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const on = (machineID: string | null, more: Partial<UnitInfo> = {}): UnitInfo => ({
  name: "a.service",
  options,
  desiredState: "launched",
  currentState: "launched",
  machineID,
  hasEnded: false,
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
  current: "launched",
  run: null,
});

describe("a unit of a machine that is drained", () => {
  const up: Verdict = { kind: "there" };
  const waits: Verdict = { kind: "on-its-way" };
  const fails: Verdict = { kind: "in-trouble", why: "failed: exit status 1 (exit-code)" };
  it.each([
    ["is here while it is scheduled there", on("old"), [], 0, up, { kind: "here" }],
    ["is here while the machine reports it", on("new"), [says("old"), says("new")], 0, up, { kind: "here" }],
    ["is here while the machine reports it, though it is destroyed", undefined, [says("old")], 0, up, { kind: "here" }],
    ["is on its way until it is up elsewhere", on("new"), [], 0, waits, waits],
    ["has left when it is up elsewhere", on("new"), [], 0, up, { kind: "left" }],
    ["is in trouble when it fails elsewhere", on("new"), [], 0, fails, fails],
    [
      "is in trouble when it has not come up for 90 seconds",
      on("new"),
      [says("new", "activating")],
      90_001,
      waits,
      { kind: "in-trouble", why: "is not active after 90 s: it is activating (-)" },
    ],
    ["is on its way for 90 seconds", on("new"), [], 90_000, waits, waits],
    ["is on its way while it has no machine", on(null), [], 5_000, waits, waits],
    [
      "is in trouble when no machine was found for 5 seconds",
      on(null),
      [],
      5_001,
      waits,
      { kind: "in-trouble", why: "has stopped and is not placed yet" },
    ],
    ["has left when it is destroyed", undefined, [], 0, waits, { kind: "left" }],
    ["has left when it is not to run", on("new", { desiredState: "loaded" }), [], 0, waits, { kind: "left" }],
  ])("%s", (_name, unit, states, leftMs, verdict, departure) => {
    expect(departureOf(unit, states, new Set(["old", "older"]), leftMs, () => verdict)).toEqual(departure);
  });
  it("is here on any of several machines that are drained", () => {
    expect(departureOf(on("older"), [], new Set(["old", "older"]), 0, () => up)).toEqual({ kind: "here" });
  });
});

describe("the progress of a drain", () => {
  const take = (progress: DrainProgress, unit: UnitInfo | undefined, states: readonly StateInfo[], now: number) => {
    const units = new Map(unit === undefined ? [] : [[unit.name, unit]]);
    progress.takeUnits(units.values());
    return progress.takeStates(units, states, now);
  };

  it("is over when each unit is up elsewhere, and each is told of once", () => {
    const progress = new DrainProgress(["old"]);
    expect(take(progress, on("old"), [says("old")], 0)).toEqual([]);
    expect(progress.left).toEqual(["a.service"]);
    expect(take(progress, on("new"), [says("new", "activating")], 1_000)).toEqual([]);
    expect(take(progress, on("new"), [says("new")], 2_000)).toEqual([]);
    expect(take(progress, on("new"), [says("new")], 3_000)).toEqual([{ name: "a.service", why: null }]);
    expect(progress.left).toEqual([]);
    expect(take(progress, on("new"), [says("new")], 4_000)).toEqual([]);
  });
  it("tells of a unit that was up for a moment and fails", () => {
    const progress = new DrainProgress(["old"]);
    take(progress, on("old"), [says("old")], 0);
    expect(take(progress, on("new"), [says("new")], 1_000)).toEqual([]);
    expect(take(progress, on("new"), [says("new", "failed")], 1_500)).toEqual([]);
    expect(take(progress, on("new"), [says("new", "failed")], 2_500)).toMatchObject([{ why: expect.any(String) }]);
  });
  it("tells of a unit that stays failed on its new machine", () => {
    const progress = new DrainProgress(["old"]);
    take(progress, on("old"), [says("old")], 0);
    expect(take(progress, on("new"), [says("new", "failed")], 1_000)).toEqual([]);
    expect(take(progress, on("new"), [says("new", "failed")], 2_000)).toEqual([
      { name: "a.service", why: expect.stringMatching(/^failed: /) },
    ]);
  });
  it("counts units that were leaving before, by what the machine reports at first", () => {
    const progress = new DrainProgress(["old"]);
    take(progress, on("new"), [says("old")], 0);
    expect(progress.left).toEqual(["a.service"]);
  });
  it("does not count what the machine reports later, nor global units", () => {
    const progress = new DrainProgress(["old"]);
    take(progress, undefined, [], 0);
    take(progress, on("new"), [says("old")], 1_000);
    expect(progress.left).toEqual([]);
    const global = new DrainProgress(["old"]);
    take(global, on(null, { currentState: null }), [says("old")], 0);
    expect(global.left).toEqual([]);
  });
  it("is slow when no unit has left for three seconds", () => {
    const progress = new DrainProgress(["old"]);
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
    const progress = new DrainProgress(["old"]);
    take(progress, on("old"), [], 0);
    take(progress, on(null), [], 1_000);
    take(progress, on("old"), [], 2_000);
    expect(take(progress, on(null), [], 6_500)).toEqual([]);
    expect(take(progress, on(null), [], 11_500)).toEqual([]);
    expect(take(progress, on(null), [], 11_501)).toMatchObject([{ name: "a.service" }]);
  });
});

it("a oneshot that has run on its new machine has left", () => {
  const progress = new DrainProgress(["old"]);
  progress.takeUnits([on("old")]);
  const units = new Map([["a.service", on("new")]]);
  const gone = Array.from({ length: 10 }, (_, index) =>
    progress.takeStates(units, [{ ...says("new", "inactive"), sub: "dead" }], 500 * index),
  ).flat();
  expect(gone).toEqual([{ name: "a.service", why: null }]);
});
