// place-20k, place-100k, place-conflicts, move-machine, failover: engines on machines that only have their entries in etcd.
import { setTimeout as sleep } from "node:timers/promises";
import type { Op } from "@fleet/registry";
import { median, report } from "./report.ts";
import { longestPauseMs, PLAIN, residentMB, SimulatedCluster } from "./simulated-cluster.ts";

const CONFLICTS = 5_000;
const LOST_UNITS = 100;
const ROUNDS = 5;
const LEASE_SECONDS = 2;

export async function placementBenches(wanted: ReadonlySet<string>): Promise<void> {
  let baseline: number | null = null;
  if (wanted.has("place-20k") || wanted.has("place-100k")) baseline = await place("place-20k", 1_000, 20_000, null);
  if (wanted.has("place-100k")) await place("place-100k", 10_000, 100_000, baseline);
  if (wanted.has("place-conflicts")) await placeConflicts();
  if (wanted.has("move-machine")) await moveMachine();
  if (wanted.has("failover")) await failover();
}

async function withCluster<T>(work: (cluster: SimulatedCluster) => Promise<T>): Promise<T> {
  const cluster = await SimulatedCluster.start();
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

/** @param baseline what one placement cost in the small cluster, in seconds; null: this is the small one */
function place(bench: string, machines: number, units: number, baseline: number | null): Promise<number> {
  return withCluster(async (cluster) => {
    await cluster.write([
      cluster.file(PLAIN),
      ...Array.from({ length: machines }, (_, index) => cluster.machine(index)),
      ...Array.from({ length: units }, (_, index) => cluster.unit(`u${index}.service`, PLAIN)),
    ]);
    const floor = await cluster.plainPlacements(Math.min(units, 20_000));
    const startedAt = performance.now();
    const engine = cluster.daemon("engine");
    const { firstAt, lastAt } = await cluster.placed(engine, units);
    const value = units / ((lastAt - startedAt) / 1000);
    // What the start costs has nothing to do with the cost of one placement.
    const perPlacement = (lastAt - firstAt) / 1000 / units;
    const memory = residentMB(engine.process.pid);
    const pause = longestPauseMs(engine);
    const times = `${((firstAt - startedAt) / 1000).toFixed(2)} s until the first, ${((lastAt - startedAt) / 1000).toFixed(2)} s until the last, the engine's start included; engine ${memory.toFixed(0)} MB, its longest pause ${await pause} ms`;
    const goal =
      baseline === null ? "ratio <= 2, value >= 5000" : "cost of one placement <= 1.5 x place-20k's, engine <= 600 MB";
    const note =
      baseline === null ? times : `${times}; one placement costs ${(perPlacement / baseline).toFixed(2)} x place-20k's`;
    report({ bench, value, unit: "placements a second", floor, ratio: floor / value, goal, note });
    return perPlacement;
  });
}

function placeConflicts(): Promise<void> {
  return withCluster(async (cluster) => {
    const machines = Array.from({ length: 1_000 }, (_, index) =>
      cluster.machine(index, { zone: `z${index % 10}`, disk: index % 3 === 0 ? "ssd" : "hdd" }),
    );
    const texts = new Map<string, string>();
    const units = Array.from({ length: CONFLICTS }, (_, index): Op => {
      const app = index % 250;
      const text = `${PLAIN}[X-Fleet]\nConflicts=app${app}@*\nMachineMetadata=zone=z${app % 10}\nMachineMetadata=disk=${app % 2 === 0 ? "ssd" : "hdd"}\n`;
      texts.set(text, text);
      return cluster.unit(`app${app}@${index}.service`, text);
    });
    await cluster.write([...machines, ...[...texts.keys()].map((text) => cluster.file(text)), ...units]);
    const floor = await cluster.plainPlacements(CONFLICTS);
    const startedAt = performance.now();
    const { lastAt } = await cluster.placed(cluster.daemon("engine"), CONFLICTS);
    const value = CONFLICTS / ((lastAt - startedAt) / 1000);
    const note = "250 templates with 20 instances each, the engine's start included";
    report({
      bench: "place-conflicts",
      value,
      unit: "placements a second",
      floor,
      ratio: floor / value,
      goal: "value >= 2000",
      note,
    });
  });
}

function moveMachine(): Promise<void> {
  return withCluster(async (cluster) => {
    const { registry } = cluster;
    await cluster.write([cluster.file(PLAIN), ...Array.from({ length: 1_000 }, (_, index) => cluster.machine(index))]);
    cluster.daemon("engine");
    const values: number[] = [];
    const floors: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const lease = await registry.etcd.grantLease(60);
      const index = 5_000 + round;
      await cluster.write([cluster.machine(index, {}, lease)]);
      const id = cluster.machineID(index);
      await cluster.write(
        Array.from({ length: LOST_UNITS }, (_, unit) => cluster.unit(`r${round}-${unit}.service`, PLAIN, id)),
      );
      await sleep(500);
      const placed = await cluster.placements(LOST_UNITS, 30_000);
      const lostAt = performance.now();
      // What a lease's expiry does to its keys, at a moment that is known.
      await registry.etcd.revokeLease(lease);
      values.push((await placed.last) - lostAt);
      await placed.stop();
      const plainAt = performance.now();
      await cluster.write(
        Array.from({ length: LOST_UNITS * 3 }, (_, key): Op => ({ put: `/floor/${key}`, value: "x".repeat(150) })),
      );
      floors.push(performance.now() - plainAt);
    }
    const [value, floor] = [median(values), median(floors)];
    const note = `of ${ROUNDS}: ${values.map((entry) => entry.toFixed(0)).join(", ")}`;
    report({ bench: "move-machine", value, unit: "ms", floor, ratio: value / floor, goal: "value <= 300 ms", note });
  });
}

function failover(): Promise<void> {
  return withCluster(async (cluster) => {
    await cluster.write([cluster.file(PLAIN), ...Array.from({ length: 100 }, (_, index) => cluster.machine(index))]);
    const env = { FLEET_AGENT_TTL: `${LEASE_SECONDS}s` };
    let leader = cluster.daemon("engine", env).process;
    await untilPlaced(cluster, "warm.service");
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const values: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const next = cluster.daemon("engine", env).process;
        await sleep(1_500); // for the next one to know the cluster
        const placed = await cluster.placements(1, 30_000);
        const ended = new Promise((resolve) => leader.once("exit", resolve));
        const killedAt = performance.now();
        leader.kill(signal);
        if (signal === "SIGKILL") await ended;
        await cluster.write([cluster.unit(`${signal}-${round}.service`, PLAIN)]);
        const took = (await placed.last) - killedAt;
        values.push(signal === "SIGKILL" ? took - LEASE_SECONDS * 1000 : took);
        await placed.stop();
        await ended;
        leader = next;
      }
      const value = Math.max(0, median(values));
      const note = `after ${signal}; of ${ROUNDS}: ${values.map((entry) => entry.toFixed(0)).join(", ")}`;
      const goal = signal === "SIGKILL" ? "value <= 500 ms beyond the lease's TTL" : "value <= 200 ms";
      report({ bench: "failover", value, unit: "ms", floor: 0, ratio: null, goal, note });
    }
  });
}

/** Waits until a unit is placed: an engine leads then. */
async function untilPlaced(cluster: SimulatedCluster, name: string): Promise<void> {
  const placed = await cluster.placements(1, 30_000);
  await cluster.write([cluster.unit(name, PLAIN)]);
  await placed.last;
  await placed.stop();
}
