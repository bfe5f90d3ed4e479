// top-100: what 100 machines use, asked of one API. The agents are their ends of the link, with figures made up.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { encodeMachine } from "@fleet/domain/cluster";
import { type Answer, LinkAnswerer, type UsageSample, type Verbs } from "@fleet/link";
import { Registry } from "@fleet/registry";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "../testbed/api-client.ts";
import { EtcdServer, freePort } from "../testbed/etcd-server.ts";
import { median, report } from "./report.ts";

const MACHINES = 100;
const UNITS = 20;
const ROUNDS = 7;
/** Clients of etcd that the agents share. */
const CLIENTS = 10;

export async function usageBenches(): Promise<void> {
  const server = await EtcdServer.start();
  const stopping = new AbortController();
  const registries = Array.from({ length: CLIENTS }, () => Registry.open(server.config()));
  const [port, linkPort] = [await freePort(), await freePort()];
  const daemon = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), "api"], {
    env: {
      PATH: process.env.PATH ?? "",
      FLEET_ETCD_SERVERS: server.url,
      FLEET_API_LISTEN: `http://127.0.0.1:${port}`,
      FLEET_LINK_LISTEN: `127.0.0.1:${linkPort}`,
    },
    stdio: "ignore",
  });
  const api = new ApiClient(`http://127.0.0.1:${port}`);
  const running = Array.from({ length: MACHINES }, (_, index) =>
    new LinkAnswerer({
      registry: registries[index % CLIENTS] as Registry,
      log: { debug() {}, warn: (message) => console.error(message) },
      machineID: machineID(index),
      verbs: VERBS,
    }).run(stopping.signal),
  );
  try {
    await enter(registries[0] as Registry);
    const all = async (): Promise<boolean> => (await usage(api).catch(() => 0)) === MACHINES;
    await until(all, 60_000, "all machines to answer");
    await measure(api, registries[0] as Registry);
  } finally {
    stopping.abort();
    api.close();
    daemon.kill("SIGKILL");
    await Promise.all(running);
    for (const registry of registries) registry.close();
    await server.stop();
  }
}

async function measure(api: ApiClient, registry: Registry): Promise<void> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const askedAt = performance.now();
    if ((await usage(api)) !== MACHINES) throw new Error("not all machines have answered");
    values.push(performance.now() - askedAt);
    floors.push(await callsInEtcd(registry));
  }
  const [value, floor] = [median(values), median(floors)];
  const note = `of ${ROUNDS} rounds: ${values.map((v) => v.toFixed(0))}; floor ${floors.map((v) => v.toFixed(0))}`;
  report({ bench: "top-100", value, unit: "ms", floor, ratio: value / floor, goal: "value <= 1000 ms", note });
}

/** How many machines have told what they use. */
async function usage(api: ApiClient): Promise<number> {
  const { text } = await api.send("GET", "/usage");
  const { machines = [] } = JSON.parse(text) as { machines?: { error?: string; units?: unknown[] }[] };
  return machines.filter(({ error, units = [] }) => error === undefined && units.length === UNITS).length;
}

/** The floor: each call written to etcd and deleted there, and no more. */
async function callsInEtcd({ etcd, keys }: Registry): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: MACHINES }, async (_, index) => {
      const key = keys.of("link-call", "floor", String(index));
      await etcd.txn([], [{ put: key, value: "x".repeat(150) }]);
      await etcd.txn([], [{ delete: key }]);
    }),
  );
  return performance.now() - startedAt;
}

async function enter({ etcd, keys }: Registry): Promise<void> {
  for (let index = 0; index < MACHINES; index++) {
    const id = machineID(index);
    const record = { id, primaryIP: "127.0.0.1", metadata: {}, version: "2.0.0", capabilities: [], instanceID: id };
    await etcd.txn([], [{ put: keys.machine(id), value: encodeMachine(record) }]);
  }
}

function machineID(index: number): string {
  return index.toString(16).padStart(32, "0");
}

const SAMPLE: UsageSample = {
  ...{ atMs: 1_795_669_475_782, monotonicMs: 32_575_840.4, uptimeSeconds: 32_575, cpus: 4, load: [1, 1, 1] },
  cpuBusyMs: 37_704_260,
  memory: { totalBytes: 25e9, availableBytes: 22e9, swapTotalBytes: 0, swapFreeBytes: 0 },
  cpuPressure: { some10: 1.5 },
  units: Array.from({ length: UNITS }, (_, index) => ({
    ...{ name: `unit-${index}.service`, active: "active", sub: "running" },
    ...{ cpuMs: 42_000.5, memoryBytes: 50e6, tasks: 12, ioReadBytes: 1e6, ioWriteBytes: 1e6 },
  })),
};

async function* sample(): AsyncGenerator<Answer> {
  yield { usage: SAMPLE };
}

async function* nothing(): AsyncGenerator<Answer> {}

const VERBS: Verbs = { journal: nothing, status: nothing, usage: sample };
