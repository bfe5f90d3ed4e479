import { describe, expect, it } from "vitest";
import { readEntry } from "./entry.ts";
import { Position } from "./position.ts";

const cursor = (number: number, sequence = "a", at = number): string =>
  `s=${sequence};i=${number.toString(16)};b=b;m=1;t=${at.toString(16)};x=1`;
const entry = (text: string, unit = "a.service") => ({
  ...{ unit, machineID: "m", cursor: text, timestamp: "", message: "" },
});

describe("how far a machine's journal was read", () => {
  it("is its latest entry by number, not by the text of its cursor", () => {
    const position = new Position(null);
    expect([9, 16, 300].map((number) => position.take(entry(cursor(number))))).toEqual([true, true, true]);
    expect(position.read).toBe(cursor(300));
    expect([300, 16, 299].map((number) => position.take(entry(cursor(number))))).toEqual([false, false, false]);
  });

  it("begins at a cursor, up to which nothing of any unit is new", () => {
    const position = new Position(cursor(20));
    expect(position.read).toBe(cursor(20));
    expect(position.take(entry(cursor(20)))).toBe(false);
    expect(position.take(entry(cursor(19), "b.service"))).toBe(false);
    expect(position.take(entry(cursor(21)))).toBe(true);
  });

  it("is told of each unit, so that one that arrives is read from further back", () => {
    const position = new Position(null);
    position.take(entry(cursor(50)));
    expect(position.take(entry(cursor(10), "b.service"))).toBe(true);
    expect(position.take(entry(cursor(10), "b.service"))).toBe(false);
    expect(position.read).toBe(cursor(50));
  });

  it("goes by time where journald has begun to count anew", () => {
    const position = new Position(cursor(1_000, "a", 5_000));
    expect(position.take(entry(cursor(1, "b", 6_000)))).toBe(true);
    expect(position.take(entry(cursor(2, "c", 4_000)))).toBe(false);
    expect(position.read).toBe(cursor(1, "b", 6_000));
  });

  it("takes a cursor that tells no place as new, once", () => {
    const position = new Position("?");
    expect(position.take(entry("?"))).toBe(false);
    expect(position.take(entry("other"))).toBe(true);
  });
});

describe("an entry of a journal", () => {
  const read = (fields: Readonly<Record<string, unknown>>, units: readonly string[] = []) =>
    readEntry(JSON.stringify({ __CURSOR: "c", __REALTIME_TIMESTAMP: "1764152000000001", ...fields }), {
      ...{ machineID: "m", hostname: "h1", units: new Set(units), allFields: false },
    })?.entry;

  it("is about the first unit that it names of those asked for, or of any", () => {
    const fields = { _SYSTEMD_UNIT: "init.scope", UNIT: "a.service", OBJECT_SYSTEMD_UNIT: "b.service" };
    expect(read(fields, ["b.service", "a.service"])?.unit).toBe("a.service");
    expect(read(fields, ["b.service"])?.unit).toBe("b.service");
    expect(read(fields)?.unit).toBe("init.scope");
    expect(read({})?.unit).toBe("");
  });

  it.each([
    ["1764152000000001", "2025-11-26T10:13:20.000001Z"],
    ["1764152000999999", "2025-11-26T10:13:20.999999Z"],
    ["1764152001000000", "2025-11-26T10:13:21.000000Z"],
    ["0", "1970-01-01T00:00:00.000000Z"],
    ["1764152000000001", "2025-11-26T10:13:20.000001Z"],
  ])("of %s has its time to the microsecond", (us, timestamp) => {
    expect(read({ __REALTIME_TIMESTAMP: us })?.timestamp).toBe(timestamp);
  });
});
