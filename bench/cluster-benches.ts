// start-300, start-1, idle-writes, idle-cpu and memory, on three real hosts.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalCluster } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "../testbed/api-client.ts";
import { cpuSeconds, daemons, type HostProcess, residentMB } from "./host-processes.ts";
import { median, report } from "./report.ts";

const UNITS = 300;
const ROUNDS = 9;
/** The kernel clears away control groups of units that have ended for a while, on the cores that are to be measured. */
const CLEAN_UP_MS = 3_000;
const EXEC = "/bin/sleep infinity";
const QUIET_MS = 60_000;
/** What follows a start: states that settle, files that are swept, memory that is given back. */
const REST_MS = 30_000;

export async function clusterBenches(wanted: ReadonlySet<string>): Promise<void> {
  const roles = [{ agent: true, engine: true, api: true }, { agent: true, engine: true }, { agent: true }];
  const cluster = await LocalCluster.start({ name: "bench", hosts: roles });
  const api = new ApiClient(cluster.endpoint());
  try {
    const names = Array.from({ length: UNITS }, (_, index) => `bench-${index}.service`);
    if (wanted.has("start-300")) await start300(cluster, api, names);
    if (wanted.has("start-1")) await start1(cluster, api);
    if (["idle-writes", "idle-cpu", "memory"].some((name) => wanted.has(name))) {
      await startAll(api, names);
      await idle(cluster, wanted);
    }
  } finally {
    api.close();
    await cluster.stop();
  }
  if (wanted.has("memory")) await allInOneMemory();
}

async function startAll(api: ApiClient, names: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(names.map((name) => api.put(name, "launched", EXEC)));
  const isUp = async (): Promise<boolean> => {
    const active = (await api.states()).filter(({ systemdActiveState }) => systemdActiveState === "active");
    return active.length >= names.length;
  };
  await until(isUp, 60_000, `${names.length} units to be active`);
  return performance.now() - startedAt;
}

async function destroyAll(api: ApiClient, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => api.send("DELETE", `/units/${name}`)));
  await until(async () => (await api.states()).length === 0, 60_000, "the units to be gone");
}

async function start300(cluster: LocalCluster, api: ApiClient, names: readonly string[]): Promise<void> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(CLEAN_UP_MS);
    floors.push(await plainSystemctl(cluster, round));
    await sleep(CLEAN_UP_MS);
    values.push(await startAll(api, names));
    await destroyAll(api, names);
  }
  const [value, floor] = [median(values), median(floors)];
  const note = `of ${ROUNDS} rounds: ${values.map((v) => v.toFixed(0))}; floor ${floors.map((v) => v.toFixed(0))}; the first one is cold`;
  report({ bench: "start-300", value, unit: "ms", floor, ratio: value / floor, goal: "ratio <= 1.3", note });
}

/** The floor: plain systemctl start of the same units, a third of them on each host, side by side. */
async function plainSystemctl(cluster: LocalCluster, round: number): Promise<number> {
  const share = UNITS / 3;
  const each = async (work: (index: number, names: string[]) => Promise<unknown>): Promise<void> => {
    const names = (index: number): string[] =>
      Array.from({ length: share }, (_, n) => `plain-${round}-${index}-${n}.service`);
    await Promise.all([1, 2, 3].map((index) => work(index, names(index))));
  };
  await each((index, names) =>
    cluster.network.must(
      index,
      "sh",
      "-c",
      `mkdir -p /run/plain; for u in ${names.join(" ")}; do printf '[Service]\\nExecStart=${EXEC}\\n' >/run/plain/$u; done; cd /run/plain; systemctl link --runtime -q ${names.map((name) => `/run/plain/${name}`).join(" ")}`,
    ),
  );
  const startedAt = performance.now();
  await each((index, names) => cluster.network.must(index, "systemctl", "start", ...names));
  const took = performance.now() - startedAt;
  await each((index, names) =>
    cluster.network.must(
      index,
      "sh",
      "-c",
      `systemctl stop ${names.join(" ")}; systemctl disable --runtime -q ${names.join(" ")} 2>/dev/null; rm -rf /run/plain; systemctl daemon-reload`,
    ),
  );
  return took;
}

async function start1(cluster: LocalCluster, api: ApiClient): Promise<void> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < 20; round++) {
    const plain = `plain-one-${round}.service`;
    await cluster.network.must(
      1,
      "sh",
      "-c",
      `printf '[Service]\\nExecStart=${EXEC}\\n' >/run/${plain}; systemctl link --runtime -q /run/${plain}`,
    );
    const script = `s=$(date +%s%N); systemctl start ${plain}; e=$(date +%s%N); echo $(( (e - s) / 1000 )); systemctl stop ${plain}; systemctl disable --runtime -q ${plain} 2>/dev/null; rm /run/${plain}`;
    floors.push(Number((await cluster.network.must(1, "sh", "-c", script)).trim()) / 1000);
    const name = `one-${round}.service`;
    const startedAt = performance.now();
    await api.put(name, "launched", EXEC);
    for (;;) {
      const { text } = await api.send("GET", `/state/${name}`);
      if (text.includes('"systemdActiveState":"active"')) break;
      await sleep(1);
    }
    values.push(performance.now() - startedAt);
    await api.send("DELETE", `/units/${name}`);
    await sleep(50);
  }
  const [value, floor] = [median(values), median(floors)];
  report({ bench: "start-1", value, unit: "ms", floor, ratio: value / floor, goal: "value <= 60 ms" });
}

async function idle(cluster: LocalCluster, wanted: ReadonlySet<string>): Promise<void> {
  await sleep(REST_MS);
  const processes = await daemons(cluster);
  const revision = await etcdRevision(cluster);
  const cpu = processes.map(({ pid }) => cpuSeconds(pid));
  const idleNode = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" });
  const idlePID = idleNode.pid ?? 0;
  await sleep(1_000);
  const idleCPU = cpuSeconds(idlePID);
  const needsQuiet = wanted.has("idle-writes") || wanted.has("idle-cpu");
  if (needsQuiet) await sleep(QUIET_MS);
  if (wanted.has("idle-writes")) {
    const value = (await etcdRevision(cluster)) - revision;
    report({
      bench: "idle-writes",
      value,
      unit: "revisions in 60 s",
      floor: 0,
      ratio: value === 0 ? 1 : null,
      goal: "value 0",
    });
  }
  if (wanted.has("idle-cpu")) {
    const floor = ((cpuSeconds(idlePID) - idleCPU) / (QUIET_MS / 1000)) * 100;
    for (const [index, { label, pid }] of processes.entries()) {
      const value = ((cpuSeconds(pid) - (cpu[index] ?? 0)) / (QUIET_MS / 1000)) * 100;
      report({
        bench: `idle-cpu ${label}`,
        value,
        unit: "% of a core",
        floor,
        ratio: floor > 0 ? value / floor : null,
        goal: "value <= 0.3",
      });
    }
  }
  if (wanted.has("memory")) {
    const floor = residentMB(idleNode.pid ?? 0);
    const goals: Record<string, number> = { agent: 75, engine: 80, api: 85 };
    for (const { label, pid } of processes) {
      const value = residentMB(pid);
      const goal = goals[label.split(" ")[0] ?? ""] ?? 0;
      report({ bench: `memory ${label}`, value, unit: "MB", floor, ratio: value / floor, goal: `value <= ${goal} MB` });
    }
  }
  idleNode.kill();
}

async function allInOneMemory(): Promise<void> {
  const cluster = await LocalCluster.start({
    name: "bench1",
    hosts: [{ all: true }, { agent: true }, { agent: true }],
  });
  const api = new ApiClient(cluster.endpoint());
  const idleNode = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" });
  try {
    await startAll(
      api,
      Array.from({ length: UNITS }, (_, index) => `bench-${index}.service`),
    );
    await sleep(REST_MS);
    const [{ pid }] = (await daemons(cluster)).filter(({ label }) => label.startsWith("fleetd")) as [HostProcess];
    const [value, floor] = [residentMB(pid), residentMB(idleNode.pid ?? 0)];
    report({ bench: "memory fleetd", value, unit: "MB", floor, ratio: value / floor, goal: "value <= 110 MB" });
  } finally {
    idleNode.kill();
    api.close();
    await cluster.stop();
  }
}

async function etcdRevision(cluster: LocalCluster): Promise<number> {
  const text = await cluster.network.inside(
    "etcdctl",
    `--endpoints=${cluster.etcdURL}`,
    "endpoint",
    "status",
    "-w",
    "json",
  );
  const [{ Status }] = JSON.parse(text) as [{ Status: { header: { revision: number } } }];
  return Status.header.revision;
}
