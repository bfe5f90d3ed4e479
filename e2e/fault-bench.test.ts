import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../deploy/local-cluster/processes.ts";
import { History } from "../faults/history.ts";
import { RegistryWatch } from "../faults/registry-watch.ts";
import { grown, type Uses } from "../faults/resources.ts";
import { collateral, type HostUnit, type Seen } from "../faults/rest.ts";
import { unfit } from "../faults/traffic.ts";
import { Registry } from "../packages/registry/src/index.ts";
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
  const watch = new RegistryWatch(registry.etcd, registry.keys, history, unfit);
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
it("a unit that was restarted or taken away without a reason is seen", () => {
  const seen = (units: Record<string, string>): Seen =>
    new Map([
      [
        1,
        new Map(
          Object.entries(units).map(([name, invocation]): [string, HostUnit] => [
            name,
            { active: "active", invocation },
          ]),
        ),
      ],
    ]);
  const before = seen({ "a.service": "1", "b.service": "2", "c.service": "3" });
  const after = seen({ "a.service": "1", "b.service": "9" });
  expect(collateral(before, after, () => false)).toEqual([
    "b.service on h1 was restarted without a reason",
    "c.service on h1 was taken away without a reason",
  ]);
  expect(collateral(before, after, (name) => name !== "b.service")).toHaveLength(1);
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
