import { describe, expect, it } from "vitest";
import { isNewestFirst, journalArguments } from "./journal-command.ts";

const START = { arrivedMs: null, isUser: false };
const CURSOR = "s=0a;i=1f;b=0b;m=10;t=61f000000;x=1"; // 26,290,946,048 µs: 26,290,946 ms

const wordsOf = (...args: Parameters<typeof journalArguments>): readonly string[] =>
  journalArguments(...args).filter((word) => !word.startsWith("--output"));
const ALWAYS = ["--all", "--quiet", "--no-pager"];

describe("journalctl is called", () => {
  it("with each value behind its option, so that none is taken for an option", () => {
    const words = wordsOf(
      {
        ...{
          units: ["-.mount", "a.service"],
          lines: 3,
          since: "-1h",
          until: "--vacuum-size=1",
          grep: "-x",
          priority: "3",
        },
        follow: true,
      },
      START,
    );
    expect(words).toEqual([
      ...[...ALWAYS, "--since=-1h", "--until=--vacuum-size=1", "--priority=3", "--grep=-x", "--lines=3", "--follow"],
      ...["--unit=-.mount", "--unit=a.service"],
    ]);
  });

  it("for all entries where no number is given", () => {
    expect(wordsOf({ units: ["a.service"] }, START)).toEqual([...ALWAYS, "--lines=all", "--unit=a.service"]);
  });

  it("for units of a user's systemd by their own option", () => {
    expect(wordsOf({ units: ["a.service"] }, { ...START, isUser: true })).toContain("--user-unit=a.service");
  });

  it("after a cursor, whatever number or time is given", () => {
    expect(wordsOf({ units: ["a.service"], after: CURSOR, lines: 5, since: "today" }, START)).toEqual([
      ...ALWAYS,
      ...[`--after-cursor=${CURSOR}`, "--lines=all", "--unit=a.service"],
    ]);
  });

  it("from when an arrived unit was loaded, where that is before the cursor", () => {
    const question = { units: ["a.service"], arrived: ["b.service"], after: CURSOR };
    expect(wordsOf(question, { ...START, arrivedMs: 26_000_000 })).toEqual([
      ...[...ALWAYS, "--since=@26000.000", "--lines=all", "--unit=a.service", "--unit=b.service"],
    ]);
    expect(wordsOf(question, { ...START, arrivedMs: 26_500_000 })).toContain(`--after-cursor=${CURSOR}`);
  });

  it("for every field where they are asked for, and else for what is shown", () => {
    const fields = (allFields: boolean): string =>
      journalArguments({ units: ["a.service"], allFields }, START).find((word) => word.startsWith("--output-fields")) ??
      "";
    expect(fields(true)).toBe("");
    expect(fields(false)).toMatch(/=MESSAGE,PRIORITY,/);
  });
});

it("journalctl prints the newest entry first where it searches for the latest ones", () => {
  const search = { units: ["a.service"], grep: "x", lines: 5 };
  expect(isNewestFirst(search)).toBe(true);
  expect(isNewestFirst({ ...search, follow: true })).toBe(false);
  expect(isNewestFirst({ ...search, after: CURSOR })).toBe(false);
  expect(isNewestFirst({ units: ["a.service"], grep: "x" })).toBe(false);
});
