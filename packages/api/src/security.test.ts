import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { FleetApi } from "@fleet/client";
import { loadConfig } from "@fleet/config";
import { Registry } from "@fleet/registry";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestCA } from "../../../testbed/certificates.ts";
import { EtcdServer, freePort } from "../../../testbed/etcd-server.ts";
import { type RunningApi, startApi } from "./index.ts";

let server: EtcdServer;
let ca: TestCA;
let api: RunningApi | null = null;
let registry: Registry;
let port: number;
let socket: string;
let warnings: string[];
let exposed: number;
const clients: FleetApi[] = [];

beforeAll(async () => {
  server = await EtcdServer.start();
  ca = new TestCA();
});
afterAll(async () => {
  ca.remove();
  await server.stop();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await api?.stop();
  registry.close();
});

async function start(env: Record<string, string>, host = "127.0.0.1"): Promise<void> {
  port = await freePort();
  socket = join(ca.folder, `api-${port}.sock`);
  warnings = [];
  const { config } = loadConfig({
    file: null,
    env: { FLEET_ETCD_SERVERS: server.url, FLEET_API_LISTEN: `http://${host}:${port},unix://${socket}`, ...env },
    readFile: (path) => readFileSync(path, "utf8"),
  });
  registry = Registry.open(config.etcd);
  const ignore = (): void => undefined;
  const log = {
    info: ignore,
    debug: ignore,
    error: ignore,
    warn: (...args: unknown[]) => warnings.push(String(args.at(-1))),
  };
  api = startApi({
    config,
    registry,
    log: log as never,
    isHealthy: () => true,
    etcd: { isReachable: () => true, silentMs: () => 0 },
    metrics: async () => ({ contentType: "text/plain", text: "# metrics\n" }),
    onListening: (count) => {
      exposed = count;
    },
  });
  await api.ready;
}
function client(options: Partial<ConstructorParameters<typeof FleetApi>[0]> = {}): FleetApi {
  const made = new FleetApi({ endpoint: `https://127.0.0.1:${port}`, ...options });
  clients.push(made);
  return made;
}
const text = (path: string): string => readFileSync(path, "utf8");
const trust = () => ({ ca: text(ca.ca), cert: null, key: null });

describe("TLS on TCP sockets", () => {
  it("is served with the certificate that is configured, and leaves UNIX sockets as they are", async () => {
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    await start({ FLEET_API_TLS_CERTFILE: pair.cert, FLEET_API_TLS_KEYFILE: pair.key });
    expect(await client({ tls: trust() }).listUnits()).toEqual([]);
    expect(await client({ endpoint: `unix://${socket}` }).listUnits()).toEqual([]);
    const stopping = new AbortController();
    for await (const item of client({ tls: trust() }).events({}, stopping.signal)) {
      expect(item).toEqual({ kind: "open" });
      stopping.abort();
    }
    await expect(client().listUnits()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("not signed by a trusted CA"),
    });
    await expect(client({ endpoint: `http://127.0.0.1:${port}` }).listUnits()).rejects.toMatchObject({
      code: "unreachable",
    });
    expect(exposed).toBe(0);
  });
  it("with a CA for clients serves only those that have a certificate of it", async () => {
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    const env = { FLEET_API_TLS_CERTFILE: pair.cert, FLEET_API_TLS_KEYFILE: pair.key, FLEET_API_CLIENT_CAFILE: ca.ca };
    await start(env);
    const mine = ca.sign("me", []);
    const tls = { ca: text(ca.ca), cert: text(mine.cert), key: text(mine.key) };
    expect(await client({ tls }).listUnits()).toEqual([]);
    await expect(client({ tls: trust() }).listUnits()).rejects.toMatchObject({ code: "unreachable" });
    const stranger = new TestCA();
    const other = stranger.sign("other", []);
    const foreign = { ca: text(ca.ca), cert: text(other.cert), key: text(other.key) };
    await expect(client({ tls: foreign }).listUnits()).rejects.toMatchObject({ code: "unreachable" });
    stranger.remove();
  });
  it("missing where others can reach the API is said loudly, and counted", async () => {
    await start({}, "0.0.0.0");
    expect(warnings.join()).toContain(`the API listens on 0.0.0.0:${port} without TLS`);
    expect(exposed).toBe(1);
  });
});

describe("tokens", () => {
  const hash = (token: string): string => createHash("sha256").update(token).digest("hex");
  const file = (): string => {
    const path = join(ca.folder, "tokens");
    writeFileSync(
      path,
      `# who may use the API\nviewer ${hash("look")} dashboards\noperator ${hash("act")} Jo at night\n`,
    );
    return path;
  };
  const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
  it("guard every request on every socket: viewers look, operators act", async () => {
    await start({ FLEET_API_TOKENS_FILE: file() });
    const at = { endpoint: `unix://${socket}` };
    await expect(client(at).listUnits()).rejects.toMatchObject({
      status: 401,
      message: expect.stringContaining("--token-file"),
    });
    await expect(client({ ...at, token: "guess" }).listUnits()).rejects.toMatchObject({ status: 401 });
    expect(await client({ ...at, token: "look" }).listUnits()).toEqual([]);
    await expect(client({ ...at, token: "look" }).setUnit("a.service", { options })).rejects.toMatchObject({
      status: 403,
    });
    await expect(client({ ...at, token: "look" }).deleteUnit("a.service")).rejects.toMatchObject({ status: 403 });
    await expect(client({ ...at, token: "look" }).cordonMachine("m1", true)).rejects.toMatchObject({ status: 403 });
    await expect(client({ ...at, token: "look" }).rebalance({ dryRun: true })).rejects.toMatchObject({ status: 403 });
    // To explain a version takes a POST, and changes nothing.
    const explained = await fetch(`http://127.0.0.1:${port}/fleet/v1/units/a.service/placement`, {
      method: "POST",
      headers: { authorization: "bearer look", "content-type": "application/json" },
      body: JSON.stringify({ options }),
    });
    expect(explained.status).toBe(200);
    expect(await client({ ...at, token: "act" }).setUnit("a.service", { options })).toBe("created");
    expect(await client({ ...at, token: "act" }).deleteUnit("a.service")).toBe(true);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(401);
    const allowed = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: "bearer look" } });
    expect(allowed.status).toBe(200);
    const refused = await fetch(`http://127.0.0.1:${port}/fleet/v1/events`);
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="fleet"']);
    expect((await fetch(`http://127.0.0.1:${port}/nowhere`)).status).toBe(401);
  });
  it("are read anew without a restart", async () => {
    const path = file();
    const env = { FLEET_ETCD_SERVERS: server.url, FLEET_API_TOKENS_FILE: path };
    await start({ FLEET_API_TOKENS_FILE: path });
    writeFileSync(path, `operator ${hash("new")}\n`);
    api?.reload(loadConfig({ file: null, env, readFile: text }).config);
    await expect(client({ endpoint: `unix://${socket}`, token: "act" }).listUnits()).rejects.toMatchObject({
      status: 401,
    });
    expect(await client({ endpoint: `unix://${socket}`, token: "new" }).listUnits()).toEqual([]);
  });
  it("that are revoked end the streams that they have opened, and no others", async () => {
    const path = file();
    const env = { FLEET_ETCD_SERVERS: server.url, FLEET_API_TOKENS_FILE: path };
    await start({ FLEET_API_TOKENS_FILE: path });
    const follow = async (token: string) => {
      const stopping = new AbortController();
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://127.0.0.1:${port}/fleet/v1/events`, { headers, signal: stopping.signal });
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      return { reader, stop: () => stopping.abort() };
    };
    const [revoked, kept] = [await follow("look"), await follow("act")];
    writeFileSync(path, `operator ${hash("act")} Jo at night\n`);
    api?.reload(loadConfig({ file: null, env, readFile: text }).config);
    await expect(revoked.reader.read()).rejects.toThrow("terminated");
    expect(api?.snapshot()).toMatchObject({ eventReaders: 1 });
    kept.stop();
  });
  it("that are revoked while a body is on its way change nothing any more", async () => {
    const path = file();
    const env = { FLEET_ETCD_SERVERS: server.url, FLEET_API_TOKENS_FILE: path };
    await start({ FLEET_API_TOKENS_FILE: path });
    const sent = httpRequest({
      socketPath: socket,
      method: "PUT",
      path: "/fleet/v1/units/slow.service",
      headers: { authorization: "Bearer act", "content-type": "application/json", expect: "100-continue" },
    });
    const answered = new Promise<number | undefined>((resolve) =>
      sent.on("response", (response) => resolve(response.resume().statusCode)),
    );
    sent.flushHeaders();
    await new Promise((resolve) => sent.on("continue", resolve));
    sent.write('{"options":');
    writeFileSync(path, `operator ${hash("new")}\n`);
    api?.reload(loadConfig({ file: null, env, readFile: text }).config);
    sent.end(`${JSON.stringify(options)}}`);
    expect(await answered).toBe(401);
  });
});
