// api-units, api-write and cli-start: one API on an etcd of its own, and fleetctl against it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { encodeUnit } from "@fleet/domain/cluster";
import { hashText } from "@fleet/domain/unit";
import { NOWHERE } from "@fleet/domain/whereabouts";
import { Registry } from "@fleet/registry";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "../testbed/api-client.ts";
import { EtcdServer, freePort } from "../testbed/etcd-server.ts";
import { median, report } from "./report.ts";

const UNITS = 400;
const CONNECTIONS = 8;
const READ_MS = 4_000;
const WRITES = 2_000;
const WRITES_IN_FLIGHT = 64;
const STARTS = 20;

export async function apiBenches(wanted: ReadonlySet<string>): Promise<void> {
  const server = await EtcdServer.start();
  const registry = Registry.open(server.config());
  const port = await freePort();
  const daemon = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), "api"], {
    env: {
      PATH: process.env.PATH ?? "",
      FLEET_ETCD_SERVERS: server.url,
      FLEET_API_LISTEN: `http://127.0.0.1:${port}`,
      FLEET_TOKEN_LIMIT: String(UNITS),
    },
    stdio: "ignore",
  });
  const api = new ApiClient(`http://127.0.0.1:${port}`);
  try {
    const isUp = (): Promise<boolean> =>
      api.send("GET", "/machines").then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(isUp, 30_000, "the API to answer");
    if (wanted.has("cli-start")) cliStart(port);
    if (wanted.has("api-units")) await apiUnits(api, port);
    if (wanted.has("api-write")) await apiWrite(api, registry);
  } finally {
    api.close();
    daemon.kill("SIGKILL");
    registry.close();
    await server.stop();
  }
}

async function apiUnits(api: ApiClient, port: number): Promise<void> {
  const names = Array.from({ length: UNITS }, (_, index) => `bench-${index}.service`);
  await Promise.all(names.map((name) => api.put(name, "launched", "/bin/sleep infinity")));
  const { text } = await api.send("GET", "/units");
  const bare = bareServer(text);
  try {
    const barePort = await bare.port;
    const values: number[] = [];
    const floors: number[] = [];
    for (let round = 0; round < 3; round++) {
      values.push(await readsPerSecond(port));
      floors.push(await readsPerSecond(barePort));
    }
    const [value, floor] = [median(values), median(floors)];
    const note = `${text.length} bytes an answer, ${CONNECTIONS} connections`;
    report({
      bench: "api-units",
      value,
      unit: "requests a second",
      floor,
      ratio: floor / value,
      goal: "ratio <= 2",
      note,
    });
  } finally {
    bare.child.kill("SIGKILL");
  }
}

/** A fastify in a process of its own, with one route that sends a text from memory. */
function bareServer(text: string): { readonly child: ChildProcess; readonly port: Promise<number> } {
  const script = `
    const { fastify } = await import(${JSON.stringify(import.meta.resolve("fastify"))});
    let text = "";
    for await (const chunk of process.stdin) text += chunk;
    const app = fastify();
    app.get("/fleet/v1/units", async (_request, reply) => reply.header("content-type", "application/json").send(text));
    await app.listen({ port: 0, host: "127.0.0.1" });
    console.log(app.server.address().port);`;
  const child = spawn("setpriv", ["--pdeathsig=KILL", "--", process.execPath, "--input-type=module", "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin?.end(text);
  const port = new Promise<number>((resolve) => {
    child.stdout?.once("data", (data: Buffer) => resolve(Number(data.toString())));
  });
  return { child, port };
}

/** Reads over raw connections, one request after the other on each: as little work on this side as can be. */
async function readsPerSecond(port: number): Promise<number> {
  const request = "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n";
  let count = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, () => {
      const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request));
      let missing = 0;
      return new Promise<void>((resolve, reject) => {
        socket.on("error", reject);
        socket.on("data", (chunk) => {
          if (missing === 0) {
            const head = chunk.toString("latin1", 0, 2000);
            const end = head.indexOf("\r\n\r\n") + 4;
            if (!head.startsWith("HTTP/1.1 200")) reject(new Error(head));
            missing = end + Number(/content-length: (\d+)/i.exec(head)?.[1]);
          }
          missing -= chunk.length;
          if (missing > 0) return;
          count++;
          if (performance.now() - startedAt < READ_MS) socket.write(request);
          else {
            socket.destroy();
            resolve();
          }
        });
      });
    }),
  );
  return count / ((performance.now() - startedAt) / 1000);
}

async function apiWrite(api: ApiClient, registry: Registry): Promise<void> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < 3; round++) {
    const write = (index: number): Promise<void> =>
      api.put(`write-${round}-${index}.service`, "inactive", `/bin/${index}`);
    values.push(await perSecond(write));
    floors.push(await perSecond((index) => plainWrite(registry, round, index)));
  }
  const [value, floor] = [median(values), median(floors)];
  const note = `${WRITES_IN_FLIGHT} in flight`;
  report({
    bench: "api-write",
    value,
    unit: "units a second",
    floor,
    ratio: floor / value,
    goal: "ratio <= 1.7",
    note,
  });
}

async function perSecond(write: (index: number) => Promise<void>): Promise<number> {
  let next = 0;
  const startedAt = performance.now();
  const work = async (): Promise<void> => {
    for (let index = next++; index < WRITES; index = next++) await write(index);
  };
  await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, work));
  return WRITES / ((performance.now() - startedAt) / 1000);
}

/** The transaction that creating a unit is, without anything around it. */
async function plainWrite({ etcd, keys }: Registry, round: number, index: number): Promise<void> {
  const text = `[Service]\nExecStart=/bin/floor-${round}-${index}\n`;
  const hash = hashText(text);
  const name = `floor-${round}-${index}.service`;
  const record = {
    hash,
    desiredState: "inactive",
    global: false,
    whereabouts: NOWHERE,
    cause: null,
  } as const;
  await etcd.txn(
    [{ key: keys.unit(name), modRevision: 0 }],
    [
      { put: keys.unitFile(hash), value: text },
      { put: keys.unit(name), value: encodeUnit(record) },
    ],
  );
}

function cliStart(port: number): void {
  const env = { PATH: process.env.PATH ?? "", FLEETCTL_ENDPOINT: `http://127.0.0.1:${port}` };
  const time = (command: string, ...args: readonly string[]): number => {
    const startedAt = performance.now();
    const { status, stderr } = spawnSync(command, args, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
    return performance.now() - startedAt;
  };
  const fleetctl = join(BIN, "fleetctl");
  const rounds = Array.from({ length: STARTS }, () => ({
    floor: time(process.execPath, "-e", "0"),
    version: time(fleetctl, "--version"),
    list: time(fleetctl, "list-units"),
  }));
  const floor = median(rounds.map((round) => round.floor));
  const version = median(rounds.map((round) => round.version));
  const list = median(rounds.map((round) => round.list));
  report({
    bench: "cli-start",
    value: version,
    unit: "ms",
    floor,
    ratio: version / floor,
    goal: "ratio <= 2.5",
    note: "--version",
  });
  report({
    bench: "cli-start",
    value: list,
    unit: "ms",
    floor,
    ratio: list / floor,
    goal: "ratio <= 4",
    note: "list-units, an empty cluster",
  });
}
