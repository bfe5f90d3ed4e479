import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
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
let logged: unknown[][];
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
  logged = [];
  const { config } = loadConfig({
    file: null,
    env: { FLEET_ETCD_SERVERS: server.url, FLEET_API_LISTEN: `http://${host}:${port},unix://${socket}`, ...env },
    readFile: (path) => readFileSync(path, "utf8"),
  });
  registry = Registry.open(config.etcd);
  const ignore = (): void => undefined;
  const log = {
    info: (...args: unknown[]) => logged.push(args),
    debug: ignore,
    error: (...args: unknown[]) => logged.push(args),
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
  it("is 1.2 or newer", async () => {
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    await start({ FLEET_API_TLS_CERTFILE: pair.cert, FLEET_API_TLS_KEYFILE: pair.key });
    const shake = (version: "TLSv1.1" | "TLSv1.2"): Promise<string> =>
      new Promise((resolve) => {
        // The client itself must be willing: OpenSSL's default level refuses 1.1.
        const options = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0", ca: text(ca.ca) };
        const socket = connectTls({ host: "127.0.0.1", port, ...options }, () => {
          resolve(String(socket.getProtocol()));
          socket.destroy();
        });
        socket.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      });
    expect(await shake("TLSv1.2")).toBe("TLSv1.2");
    expect(await shake("TLSv1.1")).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
  });
  it("takes new certificates over without a restart, and cuts off clients of a CA that is no longer trusted", async () => {
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    const [cert, key, cafile] = ["current.pem", "current.key", "clients.pem"].map((name) => join(ca.folder, name)) as [
      string,
      string,
      string,
    ];
    const put = (own: { cert: string; key: string }, clients: string): void => {
      for (const [from, to] of [
        [own.cert, cert],
        [own.key, key],
        [clients, cafile],
      ] as const)
        copyFileSync(from, to);
    };
    put(pair, ca.ca);
    const env = { FLEET_API_TLS_CERTFILE: cert, FLEET_API_TLS_KEYFILE: key, FLEET_API_CLIENT_CAFILE: cafile };
    await start(env);
    expect(warnings.join()).toContain("lets every client with a certificate of api_client_cafile run anything");
    const files = ca.sign("me", []);
    const mine = { ca: text(ca.ca), cert: text(files.cert), key: text(files.key) };
    const subject = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ host: "127.0.0.1", port, ...mine }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.on("error", reject);
      });
    expect(await subject()).toBe("api");
    const stranger = new TestCA();
    const open = client({ tls: mine });
    const follow = open.events({}, new AbortController().signal)[Symbol.asyncIterator]();
    await follow.next();
    const reload = (): void =>
      api?.reload(loadConfig({ file: null, env: { FLEET_ETCD_SERVERS: server.url, ...env }, readFile: text }).config);
    put(ca.sign("api-2", ["IP:127.0.0.1"]), ca.ca);
    reload();
    expect(await subject()).toBe("api-2");
    expect(api?.snapshot()).toMatchObject({ eventReaders: 1 });
    put(pair, stranger.ca);
    reload();
    await expect.poll(() => api?.snapshot()).toMatchObject({ eventReaders: 0 });
    await expect(client({ tls: mine }).listUnits()).rejects.toMatchObject({ code: "unreachable" });
    stranger.remove();
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
  it("with a scope change only units that match it, and read all", async () => {
    const path = join(ca.folder, "scoped");
    writeFileSync(path, `operator units=web@*,db.service ${hash("web")} web team\n`);
    await start({ FLEET_API_TOKENS_FILE: path });
    const scoped = client({ endpoint: `unix://${socket}`, token: "web" });
    expect(await scoped.setUnit("web@1.service", { options })).toBe("created");
    expect(await scoped.deleteUnit("web@1.service")).toBe(true);
    expect(await scoped.listUnits()).toEqual([]);
    const denied = { status: 403, message: expect.stringContaining("units that match web@* or db.service") };
    await expect(scoped.setUnit("webx.service", { options })).rejects.toMatchObject(denied);
    await expect(scoped.deleteUnit("a.service")).rejects.toMatchObject(denied);
    await expect(scoped.cordonMachine("m1", true)).rejects.toMatchObject(denied);
    await expect(scoped.uncordonMachine("m1")).rejects.toMatchObject(denied);
    await expect(scoped.rebalance({})).rejects.toMatchObject(denied);
    await expect(scoped.forgetMachine("m1")).rejects.toMatchObject(denied);
  });
  it("that expire are refused, with when that was, and their event streams end", async () => {
    const path = join(ca.folder, "expiring");
    const expires = new Date(Date.now() + 1_500).toISOString();
    writeFileSync(path, `viewer expires=${expires} ${hash("brief")} guest\noperator ${hash("act")} Jo\n`);
    await start({ FLEET_API_TOKENS_FILE: path });
    const guest = client({ endpoint: `unix://${socket}`, token: "brief" });
    expect(await guest.listUnits()).toEqual([]);
    const headers = { authorization: "Bearer brief" };
    const stream = await fetch(`http://127.0.0.1:${port}/fleet/v1/events`, { headers });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await expect
      .poll(() => guest.listUnits().catch(({ status, message }) => ({ status, message })), { timeout: 5_000 })
      .toEqual({ status: 401, message: expect.stringContaining(`this token expired at ${expires}`) });
    // The next event is not sent any more.
    await client({ endpoint: `unix://${socket}`, token: "act" }).setUnit("late.service", { options });
    await expect(reader.read()).rejects.toThrow("terminated");
    await client({ endpoint: `unix://${socket}`, token: "act" }).deleteUnit("late.service");
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

describe("web pages of others", () => {
  /** A request by a browser. */
  const ask = (
    headers: Record<string, string>,
    path = "/fleet/v1/units",
    method = "GET",
  ): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest({ host: "127.0.0.1", port, method, path, headers }, (response) =>
        resolve(response.resume().statusCode),
      );
      sent.on("error", reject).end();
    });
  it("reach no API on a loopback address, by a name of theirs or across origins", async () => {
    await start({});
    expect(warnings.join()).toContain(`the API listens on 127.0.0.1:${port} without tokens`);
    expect(await ask({ host: `evil.example:${port}` })).toBe(403);
    expect(await ask({ host: `evil.example:${port}`, origin: `http://evil.example:${port}` })).toBe(403);
    expect(await ask({ host: `localhost:${port}`, origin: "http://evil.example" }, "/fleet/v1/rebalance", "POST")).toBe(
      403,
    );
    expect(await ask({ host: `localhost:${port}`, origin: "null" })).toBe(403);
    expect(await ask({ host: "127.0.0.1.evil.example" }, "/metrics")).toBe(403);
    expect(await ask({ host: `localhost:${port}` })).toBe(200);
    expect(await ask({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);
    expect(await ask({ host: `127.0.0.1:${port}` }, "/metrics")).toBe(200);
  });
  it("matter less where a token is asked for, which they can't have", async () => {
    const path = join(ca.folder, "names");
    writeFileSync(path, `viewer ${createHash("sha256").update("look").digest("hex")}\n`);
    await start({ FLEET_API_TOKENS_FILE: path });
    expect(await ask({ host: "fleet.example.com", authorization: "Bearer look" })).toBe(200);
    expect(await ask({ host: "fleet.example.com" })).toBe(401);
  });
});

describe("the audit log", () => {
  const hash = (token: string): string => createHash("sha256").update(token).digest("hex");
  const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
  const records = (path: string) =>
    text(path)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  it("has a line for each change: who, what, from where, and what came of it", async () => {
    const [path, tokens] = [join(ca.folder, "audit.log"), join(ca.folder, "audited")];
    writeFileSync(tokens, `operator ${hash("act")} Jo at night\nviewer ${hash("look")}\n`);
    await start({ FLEET_API_TOKENS_FILE: tokens, FLEET_AUDIT_LOG: path });
    const jo = client({ endpoint: `http://127.0.0.1:${port}`, token: "act" });
    await jo.setUnit("audited.service", { options, desiredState: "loaded" });
    await jo.listUnits();
    const viewer = client({ endpoint: `unix://${socket}`, token: "look" });
    await viewer.deleteUnit("audited.service").catch(() => undefined);
    await viewer.setUnit("x.service", { options }).catch(() => undefined);
    await client({ endpoint: `unix://${socket}`, token: "guess" })
      .deleteUnit("audited.service")
      .catch(() => undefined);
    await jo.cordonMachine("m1", true);
    await jo.uncordonMachine("m1");
    await jo.deleteUnit("audited.service");
    const unit = { operation: "Units.Set", path: "/fleet/v1/units/audited.service" };
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    const viewers = { time, token: hash("look").slice(0, 12), from: "unix", uid: process.getuid?.(), pid: process.pid };
    const error = "permission denied: this token has role viewer, and a change needs role operator";
    expect(records(path)).toEqual([
      {
        time,
        token: "Jo at night",
        from: "127.0.0.1",
        ...unit,
        change: { desiredState: "loaded", options: 1 },
        status: 201,
      },
      { ...viewers, ...unit, operation: "Units.Delete", status: 403, error },
      { ...viewers, operation: "Units.Set", path: "/fleet/v1/units/x.service", status: 403, error },
      expect.objectContaining({ operation: "Machines.Cordon", change: { drain: true }, status: 204 }),
      expect.objectContaining({ operation: "Machines.Uncordon", status: 204 }),
      expect.objectContaining({ ...unit, operation: "Units.Delete", status: 204 }),
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
  it("goes on in a new file when the old one was rotated away and the daemon reloads", async () => {
    const path = join(ca.folder, "rotated.log");
    const env = { FLEET_AUDIT_LOG: path };
    await start(env);
    const anybody = client({ endpoint: `unix://${socket}` });
    await anybody.uncordonMachine("m1");
    renameSync(path, `${path}.1`);
    await anybody.uncordonMachine("m2");
    api?.reload(loadConfig({ file: null, env: { FLEET_ETCD_SERVERS: server.url, ...env }, readFile: text }).config);
    await anybody.uncordonMachine("m3");
    const machines = (file: string) => records(file).map((record) => record.path.split("/").at(-2));
    expect([machines(`${path}.1`), machines(path)]).toEqual([["m1", "m2"], ["m3"]]);
  });
  it("goes to the daemon's own log by default, and where its file can't be written, without harm to the change", async () => {
    await start({});
    await client({ endpoint: `unix://${socket}` }).uncordonMachine("m1");
    expect(logged.at(-1)).toEqual([
      { audit: expect.objectContaining({ operation: "Machines.Uncordon", from: "unix", status: 204 }) },
      expect.stringMatching(/^audit: Machines.Uncordon \S+ by uid \d+, pid \d+ from unix: 204$/),
    ]);
    await api?.stop();
    registry.close();
    await start({ FLEET_AUDIT_LOG: join(ca.folder, "no-such-folder", "audit.log") });
    await client({ endpoint: `unix://${socket}` }).uncordonMachine("m1");
    expect(logged.at(-2)?.[1]).toContain("audit.log can't be written");
    expect(logged.at(-1)?.[1]).toContain("audit: Machines.Uncordon");
  });
  it("is silent when it is off", async () => {
    await start({ FLEET_AUDIT_LOG: "off" });
    const before = logged.length;
    await client({ endpoint: `unix://${socket}` }).uncordonMachine("m1");
    expect(logged.slice(before).filter(([, message]) => String(message).startsWith("audit"))).toEqual([]);
  });
});
