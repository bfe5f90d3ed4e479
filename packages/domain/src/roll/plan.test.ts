import { describe, expect, it } from "vitest";
import type { UnitRecord } from "../cluster/records.ts";
import { hashText } from "../unit/file.ts";
import { NOWHERE } from "../whereabouts/whereabouts.ts";
import { type AskedRoll, MOST_ROLL_UNITS, planRoll } from "./index.ts";

const TEXT = "# new\n[Service]\nExecStart=/bin/b\n";
const RECORD: UnitRecord = { hash: "old", desiredState: "launched", global: false, whereabouts: NOWHERE, cause: null };

function asked(changes: Partial<AskedRoll> = {}): AskedRoll {
  return {
    ...{ kind: "replace", units: [{ name: "a.service", text: TEXT }] },
    ...changes,
  };
}

const plan = (changes: Partial<AskedRoll> = {}, record: UnitRecord | null = RECORD) =>
  planRoll(asked(changes), { by: "ann", at: new Date(0) }, () => record, 1_000);

describe("a roll that is asked for", () => {
  it("goes from what a unit has to what it is to have", () => {
    const { roll, sources } = plan();
    expect(roll.units[0]?.from).toEqual({ hash: "old", source: "old" });
    expect(roll.units[0]?.to.source).toBe(hashText(TEXT));
    expect([...sources]).toEqual([[hashText(TEXT), TEXT]]);
  });

  it("takes one unit at a time, and has it be up for ten seconds, where nobody says more", () => {
    const { maxUnavailable, pauseMs, settleMs, canary, onFailure, by, message, at } = plan().roll;
    expect([maxUnavailable, pauseMs, settleMs, canary, onFailure]).toEqual([1, 0, 10_000, null, "stop"]);
    expect([by, message, at]).toEqual(["ann", null, "1970-01-01T00:00:00.000Z"]);
  });

  it("of a restart has no other texts", () => {
    const { roll, sources } = plan({ kind: "restart", units: [{ name: "a.service" }] });
    expect([roll.units[0]?.to, sources.size]).toEqual([roll.units[0]?.from, 0]);
  });

  it.each([
    ["1", 10, 1],
    ["25%", 10, 2],
    ["25%", 3, 1],
    ["100%", 3, 3],
  ])("may have %s of %i units down: %i", (maxUnavailable, count, expected) => {
    const units = Array.from({ length: count }, (_value, index) => ({ name: `a@${index}.service`, text: TEXT }));
    expect(plan({ units, maxUnavailable }).roll.maxUnavailable).toBe(expected);
  });

  it.each<[string, Partial<AskedRoll>, UnitRecord | null, string]>([
    ["an unknown unit", {}, null, "unit a.service does not exist"],
    ["a unit that is not launched", {}, { ...RECORD, desiredState: "loaded" }, "is loaded: only launched units"],
    ["a global unit", {}, { ...RECORD, global: true }, "is global"],
    [
      "a version that is global",
      { units: [{ name: "a.service", text: `${TEXT}[X-Fleet]\nGlobal=true\n` }] },
      RECORD,
      "the new version of unit a.service is global",
    ],
    ["a version without a text", { units: [{ name: "a.service" }] }, RECORD, "has no text"],
    [
      "a text that is too large",
      { units: [{ name: "a.service", text: `${TEXT}${"#".repeat(1_000)}` }] },
      RECORD,
      "1000",
    ],
    ["a text that is no unit file", { units: [{ name: "a.service", text: "[Service" }] }, RECORD, "unit a.service: "],
    ["a name that is none", { units: [{ name: "../a.service", text: TEXT }] }, RECORD, "is not valid"],
    [
      "a unit that is named twice",
      {
        units: [
          { name: "a.service", text: TEXT },
          { name: "a.service", text: TEXT },
        ],
      },
      RECORD,
      "twice",
    ],
    ["no units", { units: [] }, RECORD, `expected 1 to ${MOST_ROLL_UNITS}`],
    ["more than all", { maxUnavailable: "101%" }, RECORD, "expected a number, or a part as in 25%"],
    ["none", { maxUnavailable: "0" }, RECORD, "expected a number, or a part as in 25%"],
    ["a restart to undo", { kind: "restart", onFailure: "undo" }, RECORD, "a restart can't be undone"],
  ])("is refused for %s", (_what, changes, record, words) => {
    expect(() => plan(changes, record)).toThrow(words);
  });
});
