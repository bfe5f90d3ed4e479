import type { UnitRecord, Versioned } from "@fleet/domain/cluster";
import { describe, expect, it } from "vitest";
import { mayComeBack } from "./come-back.ts";

const ID = "a".repeat(32);
const OTHER = "b".repeat(32);
const machine = { id: ID, isSure: true, enteredAt: 50 };
const freed: Versioned<UnitRecord> = {
  ...{ hash: "c".repeat(40), desiredState: "launched", global: false, cause: null, createRevision: 1, modRevision: 40 },
  whereabouts: { kind: "nowhere", last: ID, preferred: null },
};

describe("mayComeBack", () => {
  it.each<[string, Versioned<UnitRecord> | undefined, typeof machine, boolean]>([
    ["was freed before the machine was back", freed, machine, true],
    ["was freed when the machine came back", { ...freed, modRevision: 50 }, machine, true],
    ["was taken off it since", { ...freed, modRevision: 51 }, machine, false],
    [
      "was freed at whatever time, and the machine is not back",
      { ...freed, modRevision: 51 },
      { ...machine, isSure: false },
      true,
    ],
    [
      "was given to another machine",
      { ...freed, whereabouts: { kind: "placed", on: OTHER } },
      { ...machine, isSure: false },
      false,
    ],
    ["was given back to it", { ...freed, whereabouts: { kind: "placed", on: ID }, modRevision: 60 }, machine, true],
    [
      "is being moved to it",
      { ...freed, whereabouts: { kind: "moving", on: OTHER, to: ID }, modRevision: 60 },
      machine,
      true,
    ],
    [
      "is being moved away from it",
      { ...freed, whereabouts: { kind: "leaving", from: ID, last: ID, preferred: null } },
      { ...machine, isSure: false },
      false,
    ],
    ["is to run nowhere", { ...freed, desiredState: "inactive" }, { ...machine, isSure: false }, false],
    ["was destroyed", undefined, { ...machine, isSure: false }, false],
  ])("a unit that %s", (_, record, returning, expected) => {
    expect(mayComeBack(record, returning)).toBe(expected);
  });
});
