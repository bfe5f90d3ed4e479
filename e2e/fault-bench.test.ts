import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keys, Registry, type UnitOption } from "@fleet/registry";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../deploy/local-cluster/processes.ts";
import { Consistency } from "../faults/consistency.ts";
import { History } from "../faults/history.ts";
import type { Seen } from "../faults/host-units.ts";
import { RegistryView } from "../faults/registry-view.ts";
import { RegistryWatch } from "../faults/registry-watch.ts";
import { grown, type Uses } from "../faults/resources.ts";
import {
  brokenPromises,
  collateral,
  disturbedUnknown,
  type Reasons,
  type UnitReport,
  writtenWithoutLeading,
} from "../faults/rest.ts";
import { type StormOutcome, summary } from "../faults/summary.ts";
import { type Expected, unfit } from "../faults/traffic.ts";
import { overlaps, runsOf } from "../testbed/copies.ts";
import { EtcdServer } from "../testbed/etcd-server.ts";

// The bench of faults would find nothing if it were blind: it is shown what it is to see.

let folder: string;
let server: EtcdServer;
let registry: Registry;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleet-bench-"));
  server = await EtcdServer.start();
  registry = Registry.open(server.config());
});
afterAll(async () => {
  registry?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("a schedule that disagrees with its unit, and a constraint that does not hold, are seen at their revision", async () => {
  const history = new History(join(folder, "history.jsonl"));
  const watch = new RegistryWatch(registry.etcd, registry.keys, history, new Consistency(), unfit);
  watch.start();
  const { keys, etcd } = registry;
  const unit = (name: string, machineID: string) => ({
    put: keys.unit(name),
    value: JSON.stringify({ hash: "h", desiredState: "launched", machineID }),
  });
  const entry = (name: string, machineID: string) => ({ put: keys.schedule(machineID, name), value: "{}" });
  try {
    await etcd.txn([], [{ put: keys.machine("m1"), value: JSON.stringify({ id: "m1", metadata: { rack: "r0" } }) }]);
    const good = await etcd.txn([], [unit("pair-0.service", "m1"), entry("pair-0.service", "m1")]);
    await until(() => watch.revision >= good.revision, 10_000, "the watch");
    expect(history.broken).toEqual([]);
    const two = await etcd.txn([], [entry("pair-0.service", "m2")]);
    const pair = await etcd.txn([], [unit("pair-1.service", "m1"), entry("pair-1.service", "m1")]);
    const rack = await etcd.txn([], [unit("rack-0.service", "m1"), entry("rack-0.service", "m1")]);
    await until(() => watch.revision >= rack.revision, 10_000, "the watch");
    expect(history.broken).toEqual([
      {
        invariant: 1,
        text: `at revision ${two.revision} pair-0.service is on [m1] by its record, on [m1,m2] by the schedule`,
      },
      { invariant: 5, text: `at revision ${pair.revision} pair-1.service is on m1: another of its kind is there` },
      { invariant: 5, text: `at revision ${rack.revision} rack-0.service is on m1: its rack is r0` },
    ]);
  } finally {
    await watch.stop();
  }
});
it("what a restored etcd holds is the truth after it, though its revisions are lower", async () => {
  const own = await EtcdServer.start();
  const { keys, etcd } = Registry.open(own.config());
  const consistency = new Consistency();
  const history = new History(join(folder, "restored.jsonl"));
  const watch = new RegistryWatch(etcd, keys, history, consistency, unfit);
  const unit = JSON.stringify({ hash: "h", desiredState: "launched", machineID: "m1" });
  const entry = (machineID: string) => ({ put: keys.schedule(machineID, "free-0.service"), value: "{}" });
  try {
    watch.start();
    const first = await etcd.txn([], [{ put: keys.unit("free-0.service"), value: unit }, entry("m1")]);
    const file = join(own.folder, "backup.db");
    own.snapshot(file);
    for (let count = 0; count < 9; count++) await etcd.txn([], [{ put: keys.unitFile("f"), value: `${count}` }]);
    await until(() => watch.revision > first.revision + 8, 10_000, "the watch");
    const { changes } = watch.view;
    watch.restoring();
    await own.restore(file);
    await watch.restored();
    expect(watch.revision).toBe(first.revision);
    const lost = { session: "s", unit: "free-0.service", value: "lost", kind: "write" as const, acknowledged: true };
    consistency.ended({ ...lost, startedAt: 1, endedAt: 2 });
    expect(consistency.check()).toEqual([]);
    const next = await etcd.txn([], [entry("m2")]);
    await until(() => watch.revision >= next.revision, 10_000, "the watch");
    expect(history.broken.map(({ invariant }) => invariant)).toEqual([1]);
    expect(watch.view.changes).toBe(changes);
  } finally {
    await watch.stop();
    etcd.close();
    await own.stop();
  }
});
describe("a unit that a restored registry does not know", () => {
  const was = new Map([[1, { active: "active", invocation: "1" }]]);
  const told = [{ host: 1, active: "active" }];
  it.each<[string, Map<number, { active: string; invocation: string }>, typeof told, readonly string[]]>([
    ["may go on running", was, told, []],
    ["may not be taken away", new Map(), told, ["a.service is unknown here, and was taken away from h1"]],
    [
      "may not be restarted",
      new Map([[1, { active: "active", invocation: "2" }]]),
      told,
      ["a.service is unknown here, and was restarted or stopped on h1"],
    ],
    [
      "may not come to another host",
      new Map([...was, [2, { active: "active", invocation: "3" }]]),
      told,
      ["a.service is unknown here, and has come to h1,2"],
    ],
    ["may not go untold", was, [], ["a.service is unknown here on h1, and the API says nothing of it"]],
  ])("%s", (_what, now, said, problems) => {
    expect(disturbedUnknown("a.service", was, now, { told: said, options: null })).toEqual(problems);
  });
});
describe("a unit that was restarted or taken away without a reason", () => {
  const seen = (units: Record<string, string>): Seen =>
    new Map([
      [1, new Map(Object.entries(units).map(([name, invocation]) => [name, { active: "active", invocation }]))],
    ]);
  const before = seen({ "a.service": "1", "b.service": "2", "c.service": "3" });
  const after = seen({ "a.service": "1", "b.service": "9" });
  const none: Reasons = { changed: new Set(), disturbed: new Set(), placements: new Map(), since: 10 };
  const placedAt = (change: number): Reasons => ({
    ...none,
    placements: new Map([["b.service", [{ change, machineID: "m1" }]]]),
  });
  it("is seen", () => {
    expect(collateral(before, after, none)).toEqual([
      "b.service on h1 was restarted without a reason",
      "c.service on h1 was taken away without a reason",
    ]);
  });
  it.each<[string, Reasons, number]>([
    ["a user that changed it", { ...none, changed: new Set(["b.service"]) }, 1],
    ["a fault that disturbed it", { ...none, disturbed: new Set(["b.service"]) }, 1],
    ["a fault that disturbed its host", { ...none, disturbed: new Set(["*@1"]) }, 0],
    ["a fault that disturbed another host", { ...none, disturbed: new Set(["*@2"]) }, 2],
    ["a placement since the last rest", placedAt(11), 1],
    ["a placement before the last rest", placedAt(10), 2],
  ])("is judged with %s", (_what, reasons, count) => {
    expect(collateral(before, after, reasons)).toHaveLength(count);
  });
});
describe("a promise that was not kept", () => {
  const options: UnitOption[] = [{ section: "Service", name: "ExecStart", value: "/bin/true" }];
  const launched: Expected = { options, state: "launched" };
  const on = (active: string, told: string | null = active, host = 1): UnitReport => ({
    hosts: new Map([[host, active]]),
    told: [{ host, active: told }],
    options,
  });
  const gone: UnitReport = { hosts: new Map(), told: [], options: null };
  it.each<[string, string, Expected | null, UnitReport, readonly string[]]>([
    ["nothing of a unit that runs", "free-0.service", launched, on("active"), []],
    ["nothing of a unit that was destroyed", "free-0.service", null, gone, []],
    ["nothing of one that fails as it must", "fails-0.service", launched, on("failed"), []],
    ["nothing of one killed as it stopped", "slow-0.service", { options, state: "loaded" }, on("failed"), []],
    [
      "a unit that has stopped",
      "free-0.service",
      launched,
      on("inactive"),
      ["free-0.service on h1 is inactive instead of active"],
    ],
    [
      "an API that says something else",
      "free-0.service",
      launched,
      on("active", null),
      ["free-0.service on h1 is active, and the API says nothing"],
    ],
    [
      "a global unit that is missing on a host",
      "every-0.service",
      launched,
      on("active"),
      ["every-0.service is on h[1], 2 wanted"],
    ],
    [
      "another text",
      "free-0.service",
      launched,
      { ...on("active"), options: [] },
      ["free-0.service has another text than was put in"],
    ],
    [
      "a unit that is nowhere",
      "free-0.service",
      launched,
      { ...gone, options },
      ["free-0.service is on h[], 1 wanted"],
    ],
    [
      "all that is left of a destroyed unit",
      "free-0.service",
      null,
      on("active"),
      [
        "free-0.service was destroyed, and h1 still know it",
        "free-0.service was destroyed, and the API still has states of it",
        "free-0.service was destroyed: the API disagrees",
      ],
    ],
    [
      "a stopped unit that the API has lost",
      "free-0.service",
      { options, state: "inactive" },
      gone,
      ["free-0.service was unloaded: the API disagrees"],
    ],
  ])("is seen of %s", (_what, name, expected, report, problems) => {
    expect(brokenPromises(name, expected, report, 2)).toEqual(problems);
  });
});
it("a write of an engine that did not lead is seen", () => {
  const reigns = [
    { id: "m1", from: 10, to: 20 },
    { id: "m2", from: 21, to: Number.POSITIVE_INFINITY },
  ];
  const journal = [9, 10, 20, 21, 30].map((at) => `{"msg":"placed","writtenAt":${at}}`).join("\n");
  expect(writtenWithoutLeading(journal, "m1", reigns)).toEqual([21, 30]);
  expect(writtenWithoutLeading("engine: placed unit=a.service writtenAt=21\n", "m1", reigns)).toEqual([21]);
  expect(writtenWithoutLeading(journal, "m2", reigns)).toEqual([10, 20]);
});
it("what is printed of a storm names the invariant that is broken, and where its history is", () => {
  const outcome: StormOutcome = {
    seed: 7,
    history: { file: "faults-7.jsonl", entries: [], broken: [] },
    counts: new Map([["network cut", 2]]),
    samples: [],
    slowestMs: 2_940,
    rounds: 3,
    tookMs: 120_000,
  };
  expect(summary(outcome)).toEqual([
    'faults: {"network cut":2}',
    "all as promised no later than 2.9 s after the last fault (goal 15 s)",
    "seed 7: 3 rounds, 2.0 minutes, every invariant held",
  ]);
  const entries = [{ at: 1_500, kind: "broken" as const, text: "invariant 4: it is not" }];
  const history = { ...outcome.history, entries, broken: [{ invariant: 4, text: "it is not" }] };
  expect(summary({ ...outcome, history }).slice(-3)).toEqual([
    "1.5 broken invariant 4: it is not",
    "seed 7: invariant 4 is broken: it is not",
    "The whole history is in faults-7.jsonl",
  ]);
});
it("memory and descriptors that grow are seen, those that settle are not", () => {
  const samples = (kib: (index: number) => number): Uses[] =>
    Array.from({ length: 40 }, (_, index) => new Map([["h1 agent 1", { kib: kib(index), descriptors: 20 }]]));
  expect(grown(samples((index) => 70_000 + 500 * index))).toEqual([
    "h1 agent 1 grew from 77500 to 87500 KiB of memory after its warm-up",
  ]);
  expect(grown(samples((index) => 80_000 - 10_000 / (1 + index)))).toEqual([]);
});
it("two runs of a unit at the same time are seen", () => {
  const line = (invocation: string, at: number): string =>
    JSON.stringify({ _SYSTEMD_INVOCATION_ID: invocation, _PID: "9", __REALTIME_TIMESTAMP: String(at) });
  const first = runsOf(1, [line("a", 10), line("a", 20)].join("\n"));
  expect(overlaps([...first, ...runsOf(2, [line("b", 21), line("b", 30)].join("\n"))])).toEqual([]);
  expect(overlaps([...first, ...runsOf(2, [line("b", 19), line("b", 30)].join("\n"))])).toHaveLength(1);
});

it("the notes of oneshots that have left may go at rest, and no others", () => {
  const keys = new Keys("/f/");
  const view = new RegistryView(keys, unfit);
  const put = (key: string, value: object): void => {
    const keyValue = { key, value: JSON.stringify(value), createRevision: 1, modRevision: 1 };
    view.apply(1, { kind: "put", keyValue });
  };
  const isSweep = (key: string): boolean => view.isSweep({ kind: "delete", key, revision: 2 });
  put(keys.unit("once-0.service"), { hash: "h", machineID: "m1" });
  for (const id of ["m1", "m2"]) put(keys.ended(id, "once-0.service"), { hash: "h" });
  expect(isSweep(keys.ended("m1", "once-0.service"))).toBe(false);
  expect(isSweep(keys.ended("m2", "once-0.service"))).toBe(true);
  put(keys.unit("once-0.service"), { hash: "other", machineID: "m1" });
  expect(isSweep(keys.ended("m1", "once-0.service"))).toBe(true);
  expect([isSweep(keys.unitFile("h")), isSweep(keys.unit("once-0.service"))]).toEqual([true, false]);
});
