import { describe, expect, it } from "vitest";
import { queryInBody, readJournalQuery } from "./journal-query.ts";

const cursor = (index: number): string => `s=1;i=${index};b=1;m=1;t=1;x=1`;

describe("what is asked of the journal", () => {
  it("means the same in a URL and in a body", () => {
    const inPath = { unit: ["a.service", "b@*"], lines: "5", follow: "true", fields: "all", after: `m1:${cursor(1)}` };
    const inBody = { unit: ["a.service", "b@*"], lines: 5, follow: true, fields: "all", after: [`m1:${cursor(1)}`] };
    expect(readJournalQuery(queryInBody(inBody))).toEqual(readJournalQuery(inPath));
    expect(readJournalQuery(inPath)).toMatchObject({ lines: 5, follow: true, after: new Map([["m1", cursor(1)]]) });
  });
  it("may name as many machines as a cluster has, and 256 units", () => {
    const machines = Array.from({ length: 2_000 }, (_, index) => `m${index}`);
    const after = machines.map((machine, index) => `${machine}:${cursor(index)}`);
    expect(readJournalQuery({ unit: "a.service", machine: machines, after }).after.size).toBe(2_000);
    expect(() => readJournalQuery({ unit: machines })).toThrow("too many values of unit: 2000, and at most 256");
  });
  it.each([
    [{}, "no unit is given"],
    [{ unit: "a.service", colour: "red" }, 'invalid parameter "colour": expected unit, machine'],
    [{ unit: "a.service", lines: "-1" }, 'invalid lines "-1"'],
    [{ unit: "a.service", after: "m1" }, 'invalid after "m1": expected <machine ID>:<cursor>'],
  ])("%j is refused", (query, message) => expect(() => readJournalQuery(query)).toThrow(message));
});
