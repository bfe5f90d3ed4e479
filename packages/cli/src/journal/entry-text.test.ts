import type { JournalEntry } from "@fleet/client";
import { describe, expect, it } from "vitest";
import { entryExport, entryJson, entryLines } from "./entry-text.ts";

/** A time of this process's own zone, with microseconds. */
const AT = new Date(2026, 0, 2, 3, 4, 5, 678).toISOString().replace("Z", "901Z");
const UNIX = Math.floor(Date.parse(AT) / 1000);
const entry: JournalEntry = {
  ...{ unit: "web@1.service", machineID: "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa", hostname: "h1.example.org", cursor: "c" },
  ...{ timestamp: AT, priority: 6, identifier: "web", pid: 7, message: "hello" },
};

describe("an entry for people", () => {
  it.each([
    ["short", "Jan 02 03:04:05 h1 web[7]: hello"],
    ["short-precise", "Jan 02 03:04:05.678901 h1 web[7]: hello"],
    ["short-unix", `${UNIX}.678901 h1 web[7]: hello`],
    ["cat", "hello"],
  ])("in format %s is %j", (format, line) => expect(entryLines(entry, format, false)).toEqual([line]));
  it.each([
    ["short-iso", /^2026-01-02T03:04:05[+-]\d\d:\d\d h1 web\[7\]: hello$/],
    ["short-iso-precise", /^2026-01-02T03:04:05\.678901[+-]\d\d:\d\d h1 web\[7\]: hello$/],
    ["short-full", /^Fri 2026-01-02 03:04:05 \S+ h1 web\[7\]: hello$/],
  ])("in format %s looks like %s", (format, line) => expect(entryLines(entry, format, false)[0]).toMatch(line));
  it("has its further lines below the first, and nothing that a terminal acts on", () => {
    const message = "\x1b[31mone\x1b[0m\n\ttwo\x1b]0;owned\x07";
    const [first = "", second = ""] = entryLines({ ...entry, message }, "short", false);
    expect(first).toMatch(/: one$/);
    expect(second).toBe(`${" ".repeat(first.length - 3)}\ttwo\\x1b]0;owned\\x07`);
  });
  it("stays one line whatever a program calls itself", () => {
    const [line = ""] = entryLines({ ...entry, identifier: "web\nJan 02 03:04:05 h1 sshd" }, "short", false);
    expect(line).toMatch(/ h1 web\\nJan 02 03:04:05 h1 sshd\[7\]: hello$/);
  });
  it("is painted where it is grave", () => {
    const painted = (priority: number) => entryLines({ ...entry, priority }, "cat", true)[0];
    expect([3, 4, 5].map(painted)).toEqual(["\x1b[31mhello\x1b[0m", "\x1b[33mhello\x1b[0m", "hello"]);
  });
  it("names what it has where a machine tells little", () => {
    const { unit, machineID, cursor, timestamp, message } = entry;
    expect(entryLines({ unit, machineID, cursor, timestamp, message }, "short", false)[0]).toBe(
      "Jan 02 03:04:05 113f16a7 web@1.service: hello",
    );
  });
});

describe("an entry for programs", () => {
  const fields = { __CURSOR: "c", MESSAGE: [0xff, 0x0a], TAG: ["a", "b"], BIG: null, TEXT: "two\nlines", PLAIN: "é" };
  it("in JSON has the fields that the machine sent", () => {
    expect(JSON.parse(entryJson({ ...entry, fields }, false))).toEqual(fields);
    expect(entryJson({ ...entry, fields }, false).indexOf("\n")).toBe(
      entryJson({ ...entry, fields }, false).length - 1,
    );
    expect(entryJson({ ...entry, fields }, true).split("\n").length).toBeGreaterThan(3);
  });
  it("in JSON without them has what is known", () => {
    expect(JSON.parse(entryJson(entry, false))).toMatchObject({
      MESSAGE: "hello",
      _PID: "7",
      PRIORITY: "6",
      __CURSOR: "c",
    });
  });
  it("in the export format gives bytes and several lines behind their length", () => {
    const size = (bytes: number) => `${String.fromCharCode(bytes)}${"\0".repeat(7)}`;
    expect(Buffer.from(entryExport({ ...entry, fields })).toString("latin1")).toBe(
      `__CURSOR=c\nMESSAGE\n${size(2)}\xff\n\nTAG=a\nTAG=b\nTEXT\n${size(9)}two\nlines\nPLAIN=\xc3\xa9\n\n`,
    );
  });
});
