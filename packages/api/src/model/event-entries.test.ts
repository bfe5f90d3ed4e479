import { expect, it } from "vitest";
import { additionLine, fileLines, type LogEntry, readEventFile } from "./event-entries.ts";

const at = "2026-01-01T12:00:00.000Z";
const event = (revision: number, unit = "a.service"): LogEntry => ({
  kind: "active",
  cause: "",
  time: at,
  revision,
  unit,
});
const gap: LogEntry = { kind: "gap", revision: 6, time: at, message: "missed" };
const kept = { since: 3, revision: 9, at, entries: [event(4), event(4, "b.service"), event(5), gap, event(7)] };
const text = fileLines(kept, "c1", 10_000).join("");

it("what is written is what is read, with what is appended later", () => {
  expect(readEventFile(text)).toEqual({ ...kept, clusterID: "c1" });
  const later = "2026-01-01T12:00:01.000Z";
  expect(readEventFile(text + additionLine(11, later, [event(10)]))).toEqual({
    ...{ clusterID: "c1", since: 3, revision: 11, at: later },
    entries: [...kept.entries, event(10)],
  });
});

it("a line that was torn, and what follows it, is not there", () => {
  const more = additionLine(11, at, [event(10)]) + additionLine(12, at, [event(12)]);
  for (const torn of [more.slice(0, 30), `${"\0".repeat(30)}\n${more}`, `nonsense\n${more}`, `{"to":1}\n${more}`])
    expect(readEventFile(text + torn)).toEqual({ ...kept, clusterID: "c1" });
});

it.each([
  ["no file", ""],
  ["one without its first line", text.slice(text.indexOf("\n") + 1)],
  ["one of another format", text.replace('"format":1', '"format":2')],
  ["one that is all torn", text.slice(0, 20)],
])("%s is nothing", (_name, content) => expect(readEventFile(content)).toBeNull());

it("what is too much for a file loses its oldest revisions, each as a whole", () => {
  const size = text.length - text.indexOf("\n");
  const less = readEventFile(fileLines(kept, "c1", size - 100).join(""));
  expect(less).toMatchObject({ since: 4, revision: 9, entries: [{ revision: 5 }, gap, { revision: 7 }] });
});

it("many entries are written in little time", () => {
  const entries = Array.from({ length: 32_000 }, (_, index) => event(index));
  const start = performance.now();
  expect(fileLines({ ...kept, entries }, "c1", 1e9)).toHaveLength(32_002);
  expect(performance.now() - start).toBeLessThan(2_000);
});
