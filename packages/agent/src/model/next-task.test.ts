import { describe, expect, it } from "vitest";
import { nextTask, nextTasks, type PresentUnit, TASK_REASONS, type WantedUnit } from "./next-task.ts";

const name = "a.service";
const wanted = (desiredState: WantedUnit["desiredState"], hash = "h1"): WantedUnit => ({
  name,
  hash,
  desiredState,
  stopsOnPartition: false,
});
const present = (more: Partial<PresentUnit> = {}): PresentUnit => ({
  name,
  hash: "h1",
  isLaunched: false,
  isStopped: true,
  isUnfinished: false,
  ...more,
});

describe("the next task of a unit", () => {
  it.each<[string, WantedUnit | null, PresentUnit | null, object | null]>([
    ["nothing wanted, nothing there", null, null, null],
    [
      "wanted and not there: load",
      wanted("launched"),
      null,
      { kind: "load", name, hash: "h1", reason: TASK_REASONS.notLoaded },
    ],
    [
      "loaded and wanted launched: start",
      wanted("launched"),
      present(),
      { kind: "start", name, reason: TASK_REASONS.wantedLaunched },
    ],
    ["launched as wanted: nothing", wanted("launched"), present({ isLaunched: true, isStopped: false }), null],
    ["loaded as wanted: nothing", wanted("loaded"), present(), null],
    [
      "launched and wanted loaded: stop",
      wanted("loaded"),
      present({ isLaunched: true }),
      { kind: "stop", name, reason: TASK_REASONS.wantedLoaded },
    ],
    [
      "not wanted: stop first",
      null,
      present({ isStopped: false }),
      { kind: "stop", name, reason: TASK_REASONS.notWanted },
    ],
    ["not wanted and stopped: unload", null, present(), { kind: "unload", name, reason: TASK_REASONS.notWanted }],
    [
      "another version: stop the old one first",
      wanted("launched", "h2"),
      present({ isLaunched: true, isStopped: false }),
      { kind: "stop", name, reason: TASK_REASONS.newVersion },
    ],
    [
      "another version, stopped: unload the old one",
      wanted("launched", "h2"),
      present(),
      { kind: "unload", name, reason: TASK_REASONS.newVersion },
    ],
  ])("%s", (_what, want, have, task) => expect(nextTask(want, have)).toEqual(task));
  it("comes in the order of kinds, then names; units on hold have none", () => {
    const units = new Map(
      ["c", "b", "a", "d"].map((n) => [
        n,
        { name: n, hash: "h1", desiredState: "launched", stopsOnPartition: false } as const,
      ]),
    );
    const there = new Map([
      ["c", present({ name: "c" })],
      ["x", present({ name: "x" })],
      ["y", present({ name: "y", isStopped: false })],
    ]);
    expect(nextTasks(units, there, (n) => n === "d").map(({ kind, name: n }) => `${kind} ${n}`)).toEqual([
      "stop y",
      "unload x",
      "load a",
      "load b",
      "start c",
    ]);
  });
});
