// journal-first, journal-rate and journal-flood, on two real hosts.
import { spawn } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BIN, LocalCluster } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "../testbed/api-client.ts";
import { cpuSeconds, daemons, type HostProcess, residentMB } from "./host-processes.ts";
import { median, report } from "./report.ts";

const LINK = "link_listen=0.0.0.0:49160";
const FIRST_ROUNDS = 11;
const RATE_ROUNDS = 5;
const RATE_LINES = 20_000;
/** 10 MB/s: a hundred lines of 10 kB, ten times a second. */
const FLOOD = "/bin/sh -c 'while :; do yes $$(printf %%09999d 0) | head -n 100; sleep 0.1; done'";
/** Figures of less are no answer: the reader has then not had the flood. */
const LEAST_MB_A_SECOND = 5;
const FLOOD_MS = 15_000;
/** Without it journald drops most of what such units write. */
const UNLIMITED = { "/etc/systemd/journald.conf.d/bench.conf": "[Journal]\nRateLimitBurst=0\nSystemMaxUse=2G\n" };

export async function journalBenches(wanted: ReadonlySet<string>): Promise<void> {
  const hosts = [
    { agent: true, engine: true, api: true, config: LINK },
    { agent: true, files: UNLIMITED },
  ];
  const cluster = await LocalCluster.start({ name: "benchj", hosts });
  const api = new ApiClient(cluster.endpoint());
  try {
    if (wanted.has("journal-first")) await journalFirst(cluster, api);
    if (wanted.has("journal-rate")) await journalRate(cluster, api);
    if (wanted.has("journal-flood")) await journalFlood(cluster, api);
  } finally {
    api.close();
    await cluster.stop();
  }
}

/** Starts a unit on the second host, where the API is not. */
async function startThere(api: ApiClient, name: string, exec: string): Promise<void> {
  const options = [
    { section: "Service", name: "ExecStart", value: exec },
    { section: "Service", name: "LogRateLimitIntervalSec", value: "0" },
    { section: "X-Fleet", name: "MachineMetadata", value: "host=h2" },
  ];
  const { status, text } = await api.send("PUT", `/units/${name}`, { name, desiredState: "launched", options });
  if (status !== 201) throw new Error(`PUT ${name}: ${status} ${text}`);
  await until(
    async () => (await api.send("GET", `/state/${name}`)).text.includes('"systemdActiveState":"active"'),
    30_000,
    `${name} to be active`,
  );
}

/** From the start of a command until its first output, in milliseconds. */
function untilFirstOutput(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    child.stdout.once("data", () => {
      resolve(performance.now() - startedAt);
      child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => reject(new Error(`${command} has printed nothing`)));
  });
}

async function journalFirst(cluster: LocalCluster, api: ApiClient): Promise<void> {
  await startThere(api, "first.service", "/bin/sh -c 'echo one; exec sleep infinity'");
  const env = { ...process.env, FLEETCTL_ENDPOINT: cluster.endpoint() };
  const pid = cluster.network.hosts.get(2)?.pid ?? 0;
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < FIRST_ROUNDS; round++) {
    const inside = ["-t", String(pid), "-m", "-p", "journalctl", "-u", "first.service", "-n", "10", "--no-pager", "-q"];
    floors.push(await untilFirstOutput("nsenter", inside, env));
    values.push(await untilFirstOutput(join(BIN, "fleetctl"), ["journal", "first.service"], env));
  }
  const [value, floor] = [median(values), median(floors)];
  const note = `of ${FIRST_ROUNDS} rounds: ${values.map((v) => v.toFixed(0))}; floor ${floors.map((v) => v.toFixed(0))}`;
  report({
    bench: "journal-first",
    value,
    unit: "ms",
    floor,
    ratio: value / floor,
    goal: "value <= floor + 100",
    note,
  });
}

/** Runs a command to its end; returns its lines a second. */
async function linesASecond(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let lines = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  });
  await new Promise((resolve) => child.on("close", resolve));
  if (lines < RATE_LINES) throw new Error(`${command} has printed ${lines} lines of ${RATE_LINES}`);
  return (lines / (performance.now() - startedAt)) * 1000;
}

async function journalRate(cluster: LocalCluster, api: ApiClient): Promise<void> {
  const exec = `/bin/sh -c 'seq -f "this is line number %%.0f of a unit that has something to say" ${RATE_LINES}; exec sleep infinity'`;
  await startThere(api, "rate.service", exec);
  const there = async (): Promise<boolean> => {
    const text = await cluster.network.must(
      2,
      "sh",
      "-c",
      "journalctl -u rate.service -o cat -q | grep -c 'line number'",
    );
    return Number(text) >= RATE_LINES;
  };
  await until(() => there().catch(() => false), 120_000, `${RATE_LINES} lines to be in the journal`);
  const env = { ...process.env, FLEETCTL_ENDPOINT: cluster.endpoint() };
  const pid = cluster.network.hosts.get(2)?.pid ?? 0;
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < RATE_ROUNDS; round++) {
    const inside = [
      "-t",
      String(pid),
      "-m",
      "-p",
      "journalctl",
      "-u",
      "rate.service",
      "-o",
      "json",
      "--no-pager",
      "-q",
    ];
    floors.push(await linesASecond("nsenter", inside, env));
    values.push(await linesASecond(join(BIN, "fleetctl"), ["journal", "--lines=all", "rate.service"], env));
  }
  const [value, floor] = [median(values), median(floors)];
  const note = `of ${RATE_ROUNDS} rounds: ${values.map((v) => v.toFixed(0))}; floor ${floors.map((v) => v.toFixed(0))}`;
  report({ bench: "journal-rate", value, unit: "lines/s", floor, ratio: floor / value, goal: "ratio <= 2", note });
}

/** What a unit that writes 10 MB/s costs the agent of its machine while it is followed. */
async function journalFlood(cluster: LocalCluster, api: ApiClient): Promise<void> {
  await startThere(api, "flood.service", FLOOD);
  const agent = (await daemons(cluster)).find(({ label }) => label === "agent h2");
  if (agent === undefined) throw new Error("h2 has no agent");
  await sleep(FLOOD_MS / 3);
  const before = await use(agent, FLOOD_MS);
  const reader = followed(`${cluster.endpoint()}/fleet/v1/journal?unit=flood.service&follow=true&lines=0`);
  await until(() => reader.bytes() > 0, 20_000, "the flood to be read");
  const bytes = reader.bytes();
  const during = await use(agent, FLOOD_MS);
  const rate = (reader.bytes() - bytes) / FLOOD_MS / 1000;
  reader.close();
  if (rate < LEAST_MB_A_SECOND)
    throw new Error(`journal-flood measures nothing: ${rate.toFixed(1)} MB/s were read, of some 10 that are written`);
  const note = `read at ${rate.toFixed(1)} MB/s; ${before.megabytes.toFixed(1)} MB without a reader, at most ${during.megabytes.toFixed(1)} with one`;
  report({
    ...{ bench: "journal-flood cpu", value: during.cpu, unit: "% of a core", floor: before.cpu },
    ...{ ratio: null, goal: "value <= floor + 15", note },
  });
  report({
    ...{ bench: "journal-flood memory", value: during.megabytes, unit: "MB", floor: before.megabytes },
    ...{ ratio: during.megabytes / before.megabytes, goal: "value <= floor + 20" },
  });
  const { text } = await api.send("GET", "/machines");
  if ((JSON.parse(text) as { machines: unknown[] }).machines.length !== 2) throw new Error("a machine is gone");
}

/** CPU and most memory of a process over a time. */
async function use({ pid }: HostProcess, forMs: number): Promise<{ readonly cpu: number; readonly megabytes: number }> {
  const cpu = cpuSeconds(pid);
  const startedAt = performance.now();
  let megabytes = 0;
  while (performance.now() - startedAt < forMs) {
    megabytes = Math.max(megabytes, residentMB(pid));
    await sleep(100);
  }
  return { cpu: ((cpuSeconds(pid) - cpu) / (performance.now() - startedAt)) * 100_000, megabytes };
}

function followed(url: string): { readonly bytes: () => number; readonly close: () => void } {
  let bytes = 0;
  const sent = request(url, { agent: false }, (response) => {
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    response.on("error", () => undefined);
  });
  sent.on("error", () => undefined);
  sent.end();
  return { bytes: () => bytes, close: () => sent.destroy() };
}
