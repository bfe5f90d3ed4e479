import type { Change } from "@fleet/domain/cluster";
import { beforeEach, expect, it } from "vitest";
import { EventFilter } from "./event-filter.ts";
import { EventLog } from "./event-log.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const minutesAgo = (minutes: number): Date => new Date(NOW - minutes * 60_000);
const now = new Date(NOW);

let log: EventLog;
beforeEach(() => {
  log = new EventLog({ least: 10, most: 40 });
  log.start({ since: 100, revision: 100, entries: [] });
});

const change = (revision: number): Change => ({
  kind: "machine-metadata",
  machineID: "m1",
  key: "k",
  before: null,
  after: { value: "x", createRevision: 1, modRevision: revision },
  revision,
});
const append = (revision: number, time = now): void => void log.append({ changes: [change(revision)], revision, time });
const all = (): unknown[] => {
  const { entries } = log.kept(now);
  return entries.map(({ kind, revision }) => (kind === "gap" ? `gap ${revision}` : revision));
};

it("begins anew where etcd was restored, at its lower revision, and knows nothing of revisions before", () => {
  append(120);
  const missed = { message: "etcd was restored", isOtherHistory: true };
  log.append({ changes: [change(40)], revision: 50, time: now, missed });
  expect([log.revision, ...all()]).toEqual([50, "gap 50", 50]);
  expect(log.after(50)).toEqual({ kind: "at", next: log.next });
  expect(log.after(49)).toEqual({ kind: "gap", next: log.next - 1, oldest: 50 });
});

it("keeps what it had where events were missed, with the gap in its place for who reads across it", () => {
  append(101);
  const missed = { message: "lost", isOtherHistory: false };
  log.append({ changes: [change(105)], revision: 110, time: now, missed });
  append(111);
  expect(all()).toEqual([101, "gap 110", 110, 111]);
  const across = log.after(101);
  expect(across.kind === "at" && log.entry(across.next)).toMatchObject({ kind: "gap", message: "lost" });
  expect(log.after(110)).toEqual({ kind: "at", next: log.next - 1 });
  expect(log.hasMoreOfRevision(log.first + 1, new EventFilter([], [], []))).toBe(true);
});

it("keeps the last hour, more where that is little, and less only where that is very much", () => {
  for (let index = 1; index <= 8; index++) append(100 + index, minutesAgo(91));
  expect(all()).toHaveLength(8);
  for (let index = 9; index <= 30; index++) append(100 + index, minutesAgo(30));
  // Old ones go a few at a time.
  expect(all()).toEqual(Array.from({ length: 24 }, (_, index) => 107 + index));
  expect(log.after(105)).toMatchObject({ kind: "gap", oldest: 106 });
  for (let index = 31; index <= 200; index++) append(100 + index);
  expect(all().length).toBeGreaterThanOrEqual(40);
  expect(all().length).toBeLessThan(45);
  expect(all().at(-1)).toBe(300);
});

it("goes on with what was kept, and marks what is heard of late", () => {
  append(101);
  const next = new EventLog();
  next.start(log.kept(now));
  next.append({ changes: [change(103)], revision: 104, time: now, notBefore: "2026-01-01T11:00:00Z" });
  expect(next.kept(now).entries).toMatchObject([
    { revision: 101, time: now.toISOString() },
    { revision: 103, time: now.toISOString(), notBefore: "2026-01-01T11:00:00Z" },
  ]);
  expect([next.revision, next.after(101)]).toEqual([104, { kind: "at", next: 1 }]);
});
