// wakeups and api-100k: who hears of a placement, and an API with 100,000 units.
import { setTimeout as sleep } from "node:timers/promises";
import { type Op, Registry } from "@fleet/registry";
import { until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "../testbed/api-client.ts";
import { freePort } from "../testbed/etcd-server.ts";
import { report } from "./report.ts";
import { PLAIN, residentMB, SimulatedCluster } from "./simulated-cluster.ts";

const AGENTS = 1_000;
const UNITS = 100_000;
const MACHINES = 1_000;
const CHURN = 1_000;
const READ_MS = 10_000;

export async function watchBenches(wanted: ReadonlySet<string>): Promise<void> {
  if (wanted.has("wakeups")) await wakeups();
  if (wanted.has("api-100k")) await api100k();
}

/** A thousand agents' watches over one placement: as many ranges on as many streams as agents have. */
async function wakeups(): Promise<void> {
  const cluster = await SimulatedCluster.start();
  const stopping = new AbortController();
  const registries = Array.from({ length: 20 }, () => Registry.open(cluster.server.config()));
  try {
    await cluster.write([cluster.file(PLAIN), ...Array.from({ length: AGENTS }, (_, index) => cluster.machine(index))]);
    const woken = new Set<number>();
    const mirrors = Array.from({ length: AGENTS }, (_, index) => {
      const registry = registries[index % registries.length] as Registry;
      const mirror = registry.mirror({ ranges: registry.keys.agentRanges(cluster.machineID(index)) });
      mirror.onChanges(() => woken.add(index));
      void mirror.run(stopping.signal);
      return mirror;
    });
    await until(() => mirrors.every((mirror) => mirror.isConnected), 60_000, "all watches to be open");
    cluster.daemon("engine");
    const placed = await cluster.placements(1, 30_000);
    woken.clear(); // each has heard of its own first list
    await cluster.write([cluster.unit("one.service", PLAIN)]);
    await placed.last;
    await until(() => woken.size > 0, 10_000, "the agent to hear of it");
    await sleep(1_000);
    await placed.stop();
    report({
      bench: "wakeups",
      value: woken.size,
      unit: "agents",
      floor: 1,
      ratio: woken.size,
      goal: "value = 1",
      note: `${AGENTS} agents watching`,
    });
  } finally {
    stopping.abort();
    for (const registry of registries) registry.close();
    await cluster.stop();
  }
}

async function api100k(): Promise<void> {
  const cluster = await SimulatedCluster.start();
  const port = await freePort();
  try {
    const { keys } = cluster.registry;
    const state = (index: number, sub: string): Op => ({
      put: keys.state(cluster.machineID(index % MACHINES), `u${index}.service`),
      value: JSON.stringify({ hash: "0".repeat(40), current: "launched", load: "loaded", active: "active", sub }),
    });
    await cluster.write([
      cluster.file(PLAIN),
      ...Array.from({ length: MACHINES }, (_, index) => cluster.machine(index)),
      ...Array.from({ length: UNITS }, (_, index) =>
        cluster.unit(`u${index}.service`, PLAIN, cluster.machineID(index % MACHINES)),
      ),
      ...Array.from({ length: UNITS }, (_, index) => state(index, "running")),
    ]);
    const startedAt = performance.now();
    const daemon = cluster.daemon("api", { FLEET_API_LISTEN: `http://127.0.0.1:${port}` }).process;
    const api = new ApiClient(`http://127.0.0.1:${port}`);
    const isUp = (): Promise<boolean> =>
      api.send("GET", "/units").then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(isUp, 60_000, "the API to answer");
    let token = "";
    let count = 0;
    do {
      const { text } = await api.send(
        "GET",
        `/units${token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`}`,
      );
      const page = JSON.parse(text) as { units: unknown[]; nextPageToken?: string };
      count += page.units.length;
      token = page.nextPageToken ?? "";
    } while (token !== "");
    const first = (performance.now() - startedAt) / 1000;
    if (count !== UNITS) throw new Error(`the API showed ${count} of ${UNITS} units`);
    const note = `all ${UNITS / 100} pages, the API's start included; ${residentMB(daemon.pid).toFixed(0)} MB`;
    report({
      bench: "api-100k",
      value: first,
      unit: "s",
      floor: 0,
      ratio: null,
      goal: "value <= 10 s, <= 500 MB",
      note,
    });
    await pagesUnderChurn(cluster, api, state, daemon.pid);
    api.close();
  } finally {
    await cluster.stop();
  }
}

async function pagesUnderChurn(
  cluster: SimulatedCluster,
  api: ApiClient,
  state: (index: number, sub: string) => Op,
  pid: number | undefined,
): Promise<void> {
  const endsAt = performance.now() + READ_MS;
  let changes = 0;
  const churn = (async () => {
    for (let round = 0; performance.now() < endsAt; round++) {
      const at = performance.now();
      await cluster.write(
        Array.from({ length: CHURN / 10 }, (_, index) => state((round * 100 + index) % UNITS, `r${round}`)),
      );
      changes += CHURN / 10;
      await sleep(Math.max(0, 100 - (performance.now() - at)));
    }
  })();
  const times: number[] = [];
  const { text } = await api.send("GET", "/units");
  const { nextPageToken = "" } = JSON.parse(text) as { nextPageToken?: string };
  while (performance.now() < endsAt) {
    const at = performance.now();
    await api.send("GET", `/units?nextPageToken=${encodeURIComponent(nextPageToken)}`);
    times.push(performance.now() - at);
    await sleep(5);
  }
  await churn;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  const delay = /fleet_event_loop_delay_seconds\{quantile="1"\} (\S+)/.exec(await api.metrics())?.[1];
  const note = `${Math.round(changes / (READ_MS / 1000))} states a second changed; median ${at(0.5).toFixed(1)} ms, longest ${at(1 - 1e-9).toFixed(1)} ms of ${times.length}; longest pause of the event loop since the start ${(Number(delay) * 1000).toFixed(0)} ms; ${residentMB(pid).toFixed(0)} MB`;
  report({
    bench: "api-100k page",
    value: at(0.99),
    unit: "ms, 99th percentile",
    floor: at(0.5),
    ratio: null,
    goal: "value <= 5 ms",
    note,
  });
}
