// etcd-load: what agents cost etcd, at rest and under churn, and how that grows.
import { setTimeout as sleep } from "node:timers/promises";
import { Lease, Registry } from "@fleet/registry";
import { until } from "../deploy/local-cluster/processes.ts";
import { report } from "./report.ts";
import { PLAIN, SimulatedCluster } from "./simulated-cluster.ts";

const TTL_MS = 30_000;
const SIZES = [250, 500, 1_000, 2_000];
const REST_MS = 30_000;
const CHURN_MS = 15_000;
/** Units a second that are started under churn. */
const STARTS = 50;
/** What an agent says of a unit while it starts: loaded, activating, active. */
const STATES = 3;

/** What etcd has done within a time, a second. */
interface Load {
  readonly reads: number;
  readonly writes: number;
  readonly keepAlives: number;
  readonly events: number;
  readonly kilobytes: number;
}

const METRICS = {
  reads: /^grpc_server_handled_total\{grpc_code="OK",grpc_method="(?:Range|Txn)",.*\} (\d+)/gm,
  writes: /^etcd_debugging_mvcc_put_total (\S+)/gm,
  keepAlives: /^grpc_server_msg_received_total\{grpc_method="LeaseKeepAlive",.*\} (\d+)/gm,
  events: /^etcd_debugging_mvcc_events_total (\S+)/gm,
  kilobytes: /^etcd_network_client_grpc_(?:sent|received)_bytes_total (\S+)/gm,
};

export async function loadBenches(): Promise<void> {
  const rest: [number, Load][] = [];
  for (const size of SIZES) {
    const { atRest, underChurn } = await measureLoad(size);
    rest.push([size, atRest]);
    for (const [when, load] of [
      ["at rest", atRest],
      [`${STARTS} units a second started`, underChurn],
    ] as const) {
      report({
        bench: "etcd-load",
        value: load.reads + load.keepAlives + load.writes,
        unit: "requests/s",
        floor: 0,
        ratio: null,
        goal: "",
        note: `${size} agents, ${when}: ${describe(load)}`,
      });
    }
  }
  for (const part of ["reads", "keepAlives", "kilobytes"] as const) {
    const { intercept, slope, worst } = linearFit(rest.map(([size, load]) => [size, load[part]]));
    const note = `${part} at rest: ${intercept.toFixed(2)} + ${slope.toFixed(4)} an agent, off by ${(worst * 100).toFixed(1)} % at most; 10,000 agents: ${(intercept + slope * 10_000).toFixed(0)}`;
    report({
      bench: "etcd-load-model",
      value: slope,
      unit: `${part}/s an agent`,
      floor: 0,
      ratio: null,
      goal: "",
      note,
    });
  }
}

function describe({ reads, writes, keepAlives, events, kilobytes }: Load): string {
  const text = (value: number): string => value.toPrecision(3);
  return `${text(reads)} reads and transactions, ${text(writes)} keys written, ${text(keepAlives)} keep-alives, ${text(events)} watch events, ${text(kilobytes)} kB a second`;
}

/** As many agents as asked for, as far as etcd can tell: a connection, a lease, a monitor and the watches of each. */
async function measureLoad(size: number): Promise<{ readonly atRest: Load; readonly underChurn: Load }> {
  const cluster = await SimulatedCluster.start();
  const stopping = new AbortController();
  const { signal } = stopping;
  const registries: Registry[] = [];
  const errors: unknown[] = [];
  const onError = (error: unknown): void => {
    if (!signal.aborted) errors.push(error);
  };
  try {
    await cluster.write([cluster.file(PLAIN)]);
    let connected = 0;
    for (let index = 0; index < size; index++) {
      const registry = Registry.open(cluster.server.config());
      registries.push(registry);
      const { etcd, keys } = registry;
      void (async () => {
        const lease = await Lease.grant({ etcd, ttlMs: TTL_MS, onTrouble: onError });
        await etcd.txn([], [cluster.machine(index, {}, lease.id)]);
        const machineID = cluster.machineID(index);
        const mirror = registry.mirror({ ranges: keys.agentRanges(machineID) });
        mirror.onChanges((changes) => {
          const ops = changes.flatMap((change) =>
            change.kind === "schedule"
              ? [{ put: keys.state(machineID, change.name), value: JSON.stringify({ sub: "x".repeat(100) }) }]
              : [],
          );
          if (ops.length === 0) return;
          void (async () => {
            for (let state = 0; state < STATES; state++) await etcd.txn([], ops.slice(0, 100)).catch(onError);
          })();
        });
        void mirror.run(signal);
        await mirror.ready;
        connected++;
        // Agents that were started at different times ask at different times.
        await sleep(Math.random() * (TTL_MS / 6), undefined, { signal }).catch(() => undefined);
        void lease.keepAlive(signal);
        while (!signal.aborted) {
          await etcd.range({ start: keys.leader(), end: `${keys.leader()}\0` }, { limit: 1 }).catch(onError);
          await sleep(TTL_MS / 6, undefined, { signal }).catch(() => undefined);
        }
      })();
    }
    await until(() => connected === size, 120_000, "all agents to be there");
    await sleep(TTL_MS / 3);
    const atRest = await loadDuring(cluster, () => sleep(REST_MS));
    cluster.daemon("engine");
    const first = await cluster.placements(1, 30_000);
    await cluster.write([cluster.unit("first.service", PLAIN)]);
    await first.last;
    await first.stop();
    let started = 0;
    const underChurn = await loadDuring(cluster, async () => {
      const endsAt = performance.now() + CHURN_MS;
      const begunAt = performance.now();
      while (performance.now() < endsAt) {
        await cluster.write([cluster.unit(`u${started++}.service`, PLAIN)]);
        await sleep(Math.max(0, begunAt + (started * 1000) / STARTS - performance.now()));
      }
    });
    if (errors.length > 0) throw new Error(`etcd refused ${errors.length} requests of agents, the first: ${errors[0]}`);
    return { atRest, underChurn };
  } finally {
    stopping.abort();
    for (const registry of registries) registry.close();
    await cluster.stop();
  }
}

/** What etcd did a second while `work` ran, by its own metrics. */
async function loadDuring(cluster: SimulatedCluster, work: () => Promise<unknown>): Promise<Load> {
  const read = async (): Promise<Record<keyof Load, number>> => {
    const text = await (await fetch(`${cluster.server.url}/metrics`)).text();
    const sum = (pattern: RegExp): number =>
      [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
    return Object.fromEntries(Object.entries(METRICS).map(([name, pattern]) => [name, sum(pattern)])) as never;
  };
  const [startedAt, before] = [performance.now(), await read()];
  await work();
  const after = await read();
  const seconds = (performance.now() - startedAt) / 1000;
  const rate = (name: keyof Load): number => (after[name] - before[name]) / seconds;
  return {
    reads: rate("reads"),
    writes: rate("writes"),
    keepAlives: rate("keepAlives"),
    events: rate("events"),
    kilobytes: rate("kilobytes") / 1000,
  };
}

/** A least-squares fit of a line through points, and its largest relative error. */
function linearFit(points: readonly (readonly [number, number])[]): {
  intercept: number;
  slope: number;
  worst: number;
} {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([size]) => size)), mean(points.map(([, value]) => value))];
  const slope =
    points.reduce((sum, [size, value]) => sum + (size - x) * (value - y), 0) /
    points.reduce((sum, [size]) => sum + (size - x) ** 2, 0);
  const intercept = y - slope * x;
  const worst = Math.max(...points.map(([size, value]) => Math.abs(intercept + slope * size - value) / value));
  return { intercept, slope, worst };
}
