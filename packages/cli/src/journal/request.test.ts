import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { JOURNAL_FLAGS, journalctlArguments, readJournalRequest } from "./request.ts";

const NONE = { isFollowed: false, format: "short", hasPrefix: null, machines: [], isSsh: false, hasSudo: false };

describe("flags of the journal", () => {
  it.each([
    [{}, { lines: 10 }],
    [{ lines: "all" }, { lines: "all" }],
    [{ since: "-1h" }, { lines: "all", since: "-1h" }],
    [
      { since: "2026-01-31 12:00", lines: "5" },
      { lines: 5, since: "2026-01-31 12:00" },
    ],
    [
      { until: "yesterday", grep: "a|b" },
      { lines: 10, until: "yesterday", grep: "a|b" },
    ],
    [{ priority: "err" }, { lines: 10, priority: "err" }],
    [{ priority: "0..warning" }, { lines: 10, priority: "0..warning" }],
    [
      { prefix: false, follow: true, ssh: true },
      { lines: 10, hasPrefix: false, isFollowed: true, isSsh: true },
    ],
    [
      { machine: ["h1", "h2"], output: "cat" },
      { lines: 10, machines: ["h1", "h2"], format: "cat" },
    ],
  ])("%j are read", (flags, request) => expect(readJournalRequest(flags)).toEqual({ ...NONE, ...request }));
  it.each([
    [{ lines: "many" }, 'invalid --lines "many": expected a number or all'],
    [{ output: "a b" }, "invalid --output"],
    [{ priority: "high" }, 'invalid --priority "high": expected a level from 0 to 7'],
    [{ since: "$(id)" }, "invalid --since"],
    [{ prefix: true, output: "json" }, "--prefix does not go with --output json"],
  ])("%j are refused", (flags, message) => expect(() => readJournalRequest(flags)).toThrow(message));
});

describe("journalctl", () => {
  it("has no format that is not completed", () => {
    const formats = execFileSync("journalctl", ["-o", "help"], { encoding: "utf8" }).trim().split("\n");
    expect(formats.length).toBeGreaterThan(10);
    const completed = JOURNAL_FLAGS.find(({ flags }) => flags.startsWith("-o"))?.values ?? [];
    expect(formats.filter((format) => !completed.includes(format))).toEqual([]);
  });
  it("gets what old fleetctls gave it, and no more", () => {
    const request = readJournalRequest({ lines: "5", follow: true });
    expect(journalctlArguments(["a.service"], request)).toEqual([
      ...["--unit=a.service", "--no-pager", "-n", "5", "--output=short", "-f"],
    ]);
  });
  it("gets every filter as one word", () => {
    const request = readJournalRequest({ since: "-1 h", until: "now", priority: "3", grep: "a b; id" });
    expect(journalctlArguments(["a.service", "b.service"], request)).toEqual([
      ...["--unit=a.service", "--unit=b.service", "--no-pager", "-n", "all", "--output=short"],
      ...["--since=-1 h", "--until=now", "--priority=3", "--grep=a b; id"],
    ]);
  });
});
