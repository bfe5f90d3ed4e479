// node bench/large-texts.ts [BYTES]: what 400 units of 250 kB cost when three machines start anew. Figures go to standard output.
// The records are as the version before has written them: in the first round they are read with their files.
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../testbed/etcd-server.ts";
import { type Daemon, residentMB, SimulatedCluster } from "./simulated-cluster.ts";

const UNITS = 400;
const TEXT_BYTES = Number(process.argv[2] ?? 250_000);
const MACHINES = 3;
const ROUNDS = 3;
const POLL_MS = 50;
const MOST_MS = 120_000;

/** A unit's file of that size, like no other. */
function largeText(index: number): string {
  const lines = [`[Service]\nExecStart=/bin/sleep ${index}\n`];
  let bytes = lines[0]?.length ?? 0;
  for (let line = 0; bytes < TEXT_BYTES; line++) {
    const text = `Environment=V${line}=${`${index}-${line}-`.repeat(90)}\n`;
    lines.push(text);
    bytes += text.length;
  }
  return lines.join("");
}

/** A figure of etcd's own, by name. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1]);
}

/** What is answered to a request; 0: nothing. */
async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** Milliseconds until an API answers, from now on. */
async function backAfterMs(port: number): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const status = await statusOf(`http://127.0.0.1:${port}/fleet/v1/machines`);
    const ms = performance.now() - startedAt;
    if (status === 200) return ms;
    if (ms > MOST_MS) throw new Error(`an API did not answer for ${MOST_MS / 1000} s`);
    await sleep(POLL_MS);
  }
}

const cluster = await SimulatedCluster.start();
try {
  const { url } = cluster.server;
  for (let index = 0; index < UNITS; index++) {
    const text = largeText(index);
    await cluster.write([cluster.file(text), cluster.unit(`large-${index}.service`, text, null, "before")]);
  }
  const dataMB = (UNITS * TEXT_BYTES) / 1e6;
  const residentBefore = (await metric(url, "process_resident_memory_bytes")) / 1e6;
  const ports = await Promise.all(Array.from({ length: MACHINES }, freePort));
  for (let round = 0; round < ROUNDS; round++) {
    let largest = 0;
    const isMeasured = new AbortController();
    const watching = (async () => {
      while (!isMeasured.signal.aborted) {
        largest = Math.max(largest, (await metric(url, "process_resident_memory_bytes")) / 1e6);
        await sleep(POLL_MS);
      }
    })();
    const sentBefore = await metric(url, "etcd_network_client_grpc_sent_bytes_total");
    const daemons: Daemon[] = ports.flatMap((port) => [
      cluster.daemon("engine"),
      cluster.daemon("api", { FLEET_API_LISTEN: `http://127.0.0.1:${port}` }),
    ]);
    const backAfter = await Promise.all(ports.map(backAfterMs));
    await sleep(5_000); // engines read on, and nobody says when they are done
    const sentMB = ((await metric(url, "etcd_network_client_grpc_sent_bytes_total")) - sentBefore) / 1e6;
    isMeasured.abort();
    await watching;
    console.log(
      JSON.stringify({
        bench: "large-texts",
        round,
        dataMB,
        backAfterMs: backAfter.map(Math.round),
        etcdResidentMB: { before: Math.round(residentBefore), largest: Math.round(largest) },
        etcdSentMB: Math.round(sentMB),
        daemonsMB: daemons.map(({ process }) => Math.round(residentMB(process.pid))),
      }),
    );
    for (const { process } of daemons) process.kill("SIGKILL");
    await sleep(2_000);
  }
} finally {
  await cluster.stop();
}
