// place-20k: an engine on its own, on machines and units that only have their entries in a real etcd.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeMachine, encodeUnit, hashText, type Op, Registry } from "@fleet/registry";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { EtcdServer } from "../packages/registry/src/testing/etcd-server.ts";
import { report } from "./report.ts";

const MACHINES = 1_000;
const UNITS = 20_000;
const OPS = 120;
const TEXT = "[Service]\nExecStart=/bin/sleep infinity\n";

export async function placementBenches(): Promise<void> {
  const server = await EtcdServer.start();
  const registry = Registry.open(server.config());
  let engine: ChildProcess | null = null;
  try {
    await seed(registry);
    const floor = await plainTransactions(registry);
    const mirror = registry.mirror({ ranges: registry.keys.engineRanges() });
    const stopping = new AbortController();
    const done = mirror.run(stopping.signal);
    await mirror.ready;
    let placed = 0;
    let firstAt = 0;
    const all = Promise.withResolvers<number>();
    mirror.onChanges((changes) => {
      for (const change of changes) {
        if (change.kind !== "unit" || change.after?.machineID == null || change.before?.machineID != null) continue;
        if (placed++ === 0) firstAt = performance.now();
        if (placed === UNITS) all.resolve(performance.now());
      }
    });
    const startedAt = performance.now();
    engine = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), "engine"], {
      env: { PATH: process.env.PATH ?? "", FLEET_ETCD_SERVERS: server.url },
      stdio: "ignore",
    });
    const late = sleep(120_000, "late" as const, { ref: false });
    const endedAt = await Promise.race([all.promise, late]);
    if (endedAt === "late") throw new Error(`only ${placed} of ${UNITS} units were placed in 120 s`);
    const value = UNITS / ((endedAt - startedAt) / 1000);
    const note = `${((firstAt - startedAt) / 1000).toFixed(2)} s until the first, ${((endedAt - startedAt) / 1000).toFixed(2)} s until the last, the engine's start included`;
    report({
      bench: "place-20k",
      value,
      unit: "placements a second",
      floor,
      ratio: floor / value,
      goal: "ratio <= 2, value >= 5000",
      note,
    });
    stopping.abort();
    await done;
  } finally {
    engine?.kill("SIGKILL");
    registry.close();
    await server.stop();
  }
}

async function seed(registry: Registry): Promise<void> {
  const { keys } = registry;
  const hash = hashText(TEXT);
  const machine = (index: number): Op => {
    const id = index.toString(16).padStart(8, "0").padEnd(32, "0");
    const record = {
      id,
      primaryIP: "192.0.2.1",
      metadata: {},
      version: "2.0.0",
      capabilities: [],
      instanceID: randomUUID(),
    };
    return { put: keys.machine(id), value: encodeMachine(record) };
  };
  const unit = (index: number): Op => {
    const record = {
      hash,
      desiredState: "launched",
      machineID: null,
      global: false,
      lastMachineID: null,
      movingTo: null,
      cause: null,
    } as const;
    return { put: keys.unit(`u${index}.service`), value: encodeUnit(record) };
  };
  await write(registry, [
    { put: keys.unitFile(hash), value: TEXT },
    ...Array.from({ length: MACHINES }, (_, index) => machine(index)),
    ...Array.from({ length: UNITS }, (_, index) => unit(index)),
  ]);
}

/** The floor: as many operations as the placements take, two each, in plain transactions of 120; in placements a second. */
async function plainTransactions(registry: Registry): Promise<number> {
  const ops = Array.from({ length: UNITS * 2 }, (_, index): Op => ({ put: `/floor/${index}`, value: "x".repeat(150) }));
  const startedAt = performance.now();
  await write(registry, ops);
  return UNITS / ((performance.now() - startedAt) / 1000);
}

async function write(registry: Registry, ops: readonly Op[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let start = next; start < ops.length; start = next) {
      next += OPS;
      await registry.etcd.txn([], ops.slice(start, start + OPS));
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
}
