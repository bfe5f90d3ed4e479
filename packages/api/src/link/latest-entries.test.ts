import { readEntry, type TimedEntry } from "@fleet/client/journal";
import { describe, expect, it } from "vitest";
import { LatestEntries } from "./latest-entries.ts";

/** An entry as an API has it that was asked for all fields. */
function entry(number: number, field = ""): TimedEntry {
  const source = { machineID: "m1", hostname: undefined, units: new Set<string>(), allFields: true };
  const fields = {
    __CURSOR: `s=a;i=${number}`,
    __REALTIME_TIMESTAMP: String(number),
    MESSAGE: `${number}`,
    DATA: field,
  };
  const read = readEntry(JSON.stringify(fields), source);
  if (read === null) throw new Error("it is no entry");
  return read;
}

const messages = (kept: LatestEntries): readonly string[] => kept.entries.map((timed) => timed.entry.message);

describe("the latest entries", () => {
  it("are as many as are wanted, in their order", () => {
    const kept = new LatestEntries(3);
    for (let number = 0; number < 20; number++) kept.take([entry(number)]);
    expect(messages(kept)).toEqual(["17", "18", "19"]);
    expect(kept.isShort).toBe(false);
  });

  it("are none where none is wanted", () => {
    const kept = new LatestEntries(0);
    kept.take([entry(1), entry(2)]);
    expect(messages(kept)).toEqual([]);
  });

  it("are fewer where their fields are large, and it can be told", () => {
    const kept = new LatestEntries(100, 10_000);
    for (let number = 0; number < 20; number++) kept.take([entry(number, "x".repeat(3_000))]);
    expect(messages(kept)).toEqual(["17", "18", "19"]);
    expect(kept.isShort).toBe(true);
  });

  it("have at least the last one, however large it is", () => {
    const kept = new LatestEntries(2, 1_000);
    kept.take([entry(1, "x".repeat(3_000)), entry(2, "x".repeat(3_000))]);
    expect(messages(kept)).toEqual(["2"]);
    expect(kept.isShort).toBe(true);
  });

  it("are not short where large ones made room for as many as are wanted", () => {
    const kept = new LatestEntries(2, 7_000);
    for (let number = 0; number < 3; number++) kept.take([entry(number, "x".repeat(3_000))]);
    expect(messages(kept)).toEqual(["1", "2"]);
    expect(kept.isShort).toBe(false);
  });
});
