import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FleetApi, type FleetEvent, type StreamItem } from "@fleet/client";
import { OPERATIONS, SCHEMAS } from "@fleet/client/description";
import { loadConfig } from "@fleet/config";
import type { Change } from "@fleet/domain/cluster";
import { Registry } from "@fleet/registry";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EtcdServer } from "../../../testbed/etcd-server.ts";
import { EventReaders } from "./http/event-readers.ts";
import { type RunningApi, startApi } from "./index.ts";
import { EventFilter } from "./model/event-filter.ts";
import { EventLog } from "./model/event-log.ts";

const BEGINNING = { since: 0, revision: 0, entries: [] };
const REACHABLE = { isReachable: () => true, silentMs: () => 0 };

let server: EtcdServer;
let registry: Registry;
let api: RunningApi;
let client: FleetApi;
let socket: string;
let count = 0;
const stopping: AbortController[] = [];
const quiet = { info() {}, warn() {}, debug() {}, trace() {}, fatal() {}, error() {} };

beforeAll(async () => {
  server = await EtcdServer.start();
});
afterAll(() => server?.stop());

function start(): RunningApi {
  const env = {
    FLEET_ETCD_SERVERS: server.url,
    FLEET_ETCD_KEY_PREFIX: `/events-${process.pid}-${count}/`,
    FLEET_API_LISTEN: `unix://${socket}`,
  };
  const { config } = loadConfig({ file: null, env, readFile: () => "" });
  registry = Registry.open(config.etcd);
  const metrics = async () => ({ contentType: "text/plain", text: "" });
  return startApi({ config, registry, log: quiet as never, isHealthy: () => true, etcd: REACHABLE, metrics });
}
beforeEach(async () => {
  socket = join(tmpdir(), `fleet-events-${process.pid}-${++count}.sock`);
  api = start();
  await api.ready;
  client = new FleetApi({ endpoint: `unix://${socket}` });
});
/** Stops the server, writes to etcd what it is not to see, and starts it again. */
async function restartAfter(write: () => Promise<unknown>): Promise<void> {
  await api.stop();
  await write();
  registry.close();
  api = start();
  await api.ready;
}
afterEach(async () => {
  for (const controller of stopping.splice(0)) controller.abort();
  client.close();
  await api.stop();
  registry.close();
});

const file = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];

/** Follows events; `next` waits for the next one, `all` for so many. */
async function follow(filter: Parameters<FleetApi["events"]>[0] = {}, after?: number) {
  const controller = new AbortController();
  stopping.push(controller);
  const stream = client.events(filter, controller.signal, after);
  const items: StreamItem[] = [];
  let wake = (): void => undefined;
  const first = await stream.next();
  expect(first.value).toEqual({ kind: "open" });
  void (async () => {
    for await (const item of stream) {
      items.push(item);
      wake();
    }
  })().catch(() => undefined);
  const take = async (): Promise<StreamItem> => {
    while (items.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return items.shift() as StreamItem;
  };
  const event = async (): Promise<FleetEvent> => {
    const item = await take();
    if (item.kind !== "event") throw new Error(`expected an event, got ${JSON.stringify(item)}`);
    return item.event;
  };
  const kinds = async (many: number): Promise<string[]> => {
    const found: string[] = [];
    while (found.length < many) found.push((await event()).kind);
    return found;
  };
  return { take, event, kinds, stop: () => controller.abort() };
}

const state = (active: string, sub: string, more: object = {}): string =>
  JSON.stringify({ hash: "h", current: "launched", load: "loaded", active, sub, ...more });
const put = (key: string, value: string) => registry.etcd.txn([], [{ put: key, value }]);
const remove = (key: string) => registry.etcd.txn([], [{ delete: key }]);
const unit = (more: object): string => JSON.stringify({ hash: "h", desiredState: "launched", ...more });

describe("the life of a unit", () => {
  it("is told event by event, each with time, revision and cause", async () => {
    const { keys } = registry;
    const events = await follow();
    await client.setUnit("a.service", { options: file, desiredState: "launched" });
    const submitted = await events.event();
    expect(submitted).toMatchObject({ kind: "submitted", unit: "a.service", cause: "a client created it" });
    expect(Date.parse(submitted.time)).toBeGreaterThan(Date.now() - 60_000);
    const { revision } = await put(keys.unit("a.service"), unit({ machineID: "m1", cause: "it fits" }));
    await events.event(); // this test's record has another hash: a new version
    expect(await events.event()).toEqual({
      kind: "scheduled",
      time: expect.any(String),
      revision,
      cause: "it fits",
      unit: "a.service",
      machineID: "m1",
    });
    await put(keys.state("m1", "a.service"), state("inactive", "dead", { current: "loaded" }));
    await put(keys.state("m1", "a.service"), state("activating", "start"));
    await put(keys.state("m1", "a.service"), state("active", "running"));
    await put(keys.state("m1", "a.service"), state("failed", "failed"));
    await put(keys.state("m1", "a.service"), state("active", "running"));
    await put(keys.state("m1", "a.service"), state("inactive", "dead"));
    expect(await events.kinds(6)).toEqual(["loaded", "started", "active", "failed", "active", "stopped"]);
    await put(keys.unit("a.service"), unit({ machineID: "m2", cause: "its machine m1 is gone" }));
    expect(await events.event()).toMatchObject({ kind: "moved", machineID: "m2", previousMachineID: "m1" });
    await remove(keys.state("m1", "a.service"));
    await put(keys.unit("a.service"), unit({ desiredState: "inactive" }));
    await client.deleteUnit("a.service");
    expect(await events.kinds(3)).toEqual(["unloaded", "unscheduled", "destroyed"]);
  });
  it("has what fleet could not do as a failure with its reason", async () => {
    const events = await follow({ kinds: ["failed"] });
    await put(registry.keys.state("m1", "a.service"), state("inactive", "dead", { error: "bad unit file setting" }));
    expect(await events.event()).toMatchObject({ kind: "failed", cause: "bad unit file setting", machineID: "m1" });
  });
});

it("a unit that systemd starts again and again fails each time, and one that is stopped after failing is stopped", async () => {
  const key = registry.keys.state("m1", "loop.service");
  const events = await follow();
  await put(key, state("active", "running"));
  await put(key, state("activating", "auto-restart"));
  await put(key, state("active", "running"));
  await put(key, state("activating", "auto-restart"));
  await put(key, state("failed", "failed"));
  await put(key, state("failed", "failed", { current: "loaded" }));
  await put(key, state("failed", "failed"));
  expect(await events.kinds(10)).toEqual([
    ...["loaded", "started", "active", "failed", "active", "failed", "failed"],
    ...["stopped", "started", "failed"],
  ]);
});

describe("machines and leaders", () => {
  const machine = (metadata: object): string =>
    JSON.stringify({ id: "m1", primaryIP: "", metadata, version: "2", capabilities: [], instanceID: "i" });
  it("are told as they come, change and go", async () => {
    const { keys } = registry;
    const events = await follow();
    await put(keys.machine("m1"), machine({ a: "1" }));
    await put(keys.machine("m1"), machine({ a: "1" })); // the same again says nothing
    await put(keys.machine("m1"), machine({ a: "2" }));
    await client.patchMachines([{ op: "add", path: "/m1/metadata/b", value: "3" }]);
    await remove(keys.machine("m1"));
    await put(keys.leader(), JSON.stringify({ machineID: "m1", version: 2, startedAt: "" }));
    await remove(keys.leader());
    expect(await events.kinds(6)).toEqual([
      "machine-joined",
      "machine-metadata-changed",
      "machine-metadata-changed",
      "machine-left",
      "leader-changed",
      "leader-changed",
    ]);
  });
});

describe("filters", () => {
  it("let through what matches one entry of each list", async () => {
    const events = await follow({
      units: ["web@*", "db.service"],
      machines: ["11111111"],
      kinds: ["active", "stopped"],
    });
    const id = (digit: string): string => digit.repeat(32);
    for (const [machine, name] of [
      [id("2"), "web@1.service"],
      [id("1"), "other.service"],
      [id("1"), "web@2.service"],
      [id("1"), "db.service"],
    ] as const) {
      await put(registry.keys.state(machine, name), state("active", "running"));
    }
    expect([(await events.event()).unit, (await events.event()).unit]).toEqual(["web@2.service", "db.service"]);
  });
  it.each([
    ["kind=nonsense", "invalid kind"],
    ["unit=%5B", "not a valid glob"],
    ["sideways=1", "invalid parameter"],
    ["follow=maybe", "invalid follow"],
    ["unit=a*&".repeat(65), "too many values of unit: 65, expected at most 64"],
  ])("refuse %s", async (query, message) => {
    expect(await raw(`/fleet/v1/events?${query}`)).toContain(message);
  });
});

it("follow=false gives what is kept, and ends", async () => {
  await client.setUnit("a.service", { options: file });
  const events: FleetEvent[] = [];
  for await (const item of client.pastEvents({}, new AbortController().signal)) {
    if (item.kind === "event") events.push(item.event);
  }
  expect(events).toMatchObject([{ kind: "submitted", unit: "a.service" }]);
});

describe("Last-Event-ID", () => {
  it("goes on without a gap, though several events share a revision", async () => {
    const events = await follow();
    const { keys, etcd } = registry;
    const many = Array.from({ length: 50 }, (_, index) => `n${index}.service`);
    const { revision } = await etcd.txn([], [{ put: keys.unit("first.service"), value: unit({}) }]);
    await etcd.txn(
      [],
      many.map((name) => ({ put: keys.unit(name), value: unit({}) })),
    );
    await events.kinds(51);
    events.stop();
    const again = await follow({}, revision);
    const names = new Set<string>();
    while (names.size < 50) names.add((await again.event()).unit ?? "");
    expect(names.has("first.service")).toBe(false);
  });
  it("of before this server's start is answered with a gap, and what is kept", async () => {
    // An etcd that nothing was written to is at revision 1: a server that starts on it has missed nothing after 1.
    await restartAfter(() => put(registry.keys.unit("earlier.service"), unit({})));
    const answer = await raw("/fleet/v1/events?follow=false", { "last-event-id": "1" });
    expect(answer).toContain("event: gap");
    expect(answer).toContain("are no longer kept");
  });
  it.each([["abc"], ["-1"], ["99999999"]])("%s is refused", async (id) => {
    expect(await raw("/fleet/v1/events", { "last-event-id": id })).toMatch(/^HTTP\/1\.1 400.*invalid Last-Event-ID/s);
  });
  it("survives a restart of the server: the reader hears that it missed something, and goes on", async () => {
    const events = await follow();
    await client.setUnit("a.service", { options: file });
    expect((await events.event()).kind).toBe("submitted");
    await restartAfter(() => put(registry.keys.unit("meanwhile.service"), unit({})));
    expect((await events.take()).kind).toBe("open");
    expect((await events.take()).kind).toBe("gap");
    await client.setUnit("b.service", { options: file });
    expect(await events.event()).toMatchObject({ kind: "submitted", unit: "b.service" });
  });
});

describe("many readers", () => {
  it("a thousand at once all hear", async () => {
    const sockets: Socket[] = [];
    const heard = new Set<number>();
    const opened = Array.from(
      { length: 1000 },
      (_, index) =>
        new Promise<void>((resolve) => {
          const reader = connect(socket, () => reader.write("GET /fleet/v1/events HTTP/1.1\r\nHost: x\r\n\r\n"));
          reader.on("error", () => undefined);
          reader.on("data", (data) => {
            if (data.includes("200 OK")) resolve();
            if (data.includes("submitted")) heard.add(index);
          });
          sockets.push(reader);
        }),
    );
    await Promise.all(opened);
    await client.setUnit("a.service", { options: file });
    await expect.poll(() => heard.size, { timeout: 10_000 }).toBe(1000);
    for (const reader of sockets) reader.destroy();
  });
});

describe("a slow reader", () => {
  const change = (index: number): Change => ({
    kind: "machine-metadata",
    machineID: "m1",
    key: "k",
    before: null,
    after: { value: "x".repeat(1000), createRevision: 1, modRevision: index },
    revision: index,
  });
  let http: Server;
  afterEach(() => http?.close());
  it("is not buffered for, and is cut off with an event that says so", async () => {
    const log = new EventLog({ least: 100, most: 100 });
    log.start(BEGINNING);
    const readers = new EventReaders(log);
    let written = 0;
    http = createServer((_request, response) => {
      const write = response.write.bind(response);
      response.write = ((text: string) => {
        written += text.length;
        return write(text);
      }) as typeof response.write;
      readers.add(response, {}, new EventFilter([], [], []), null, true);
    });
    const path = join(tmpdir(), `fleet-slow-${process.pid}.sock`);
    await new Promise<void>((resolve) => http.listen(path, resolve));
    const reader = connect(path, () => reader.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    await expect.poll(() => readers.count).toBe(1);
    reader.pause();
    for (let index = 1; index <= 5_000 && readers.count > 0; index++) {
      log.append({ changes: [change(index)], revision: index, time: new Date() });
      readers.wake();
      await new Promise(setImmediate);
    }
    expect(readers.count).toBe(0);
    expect(written).toBeLessThan(2_000_000); // what the kernel takes for a socket, and no more
    let text = "";
    reader.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    reader.resume();
    await new Promise((resolve) => reader.once("end", resolve));
    expect(text).toContain("event: cut-off");
    expect(text).toContain("events came faster than they were read");
    readers.close();
  });
  it("keeps its place when the log drops what it has read", () => {
    const log = new EventLog({ least: 10, most: 10 });
    log.start(BEGINNING);
    for (let index = 1; index <= 100; index++)
      log.append({ changes: [change(index)], revision: index, time: new Date() });
    expect(log.next - log.first).toBeLessThanOrEqual(13);
    const position = log.after(98);
    expect(position).toMatchObject({ kind: "at" });
    expect(log.entry(position.next)?.revision).toBe(99);
    expect(log.after(3).kind).toBe("gap");
  });
});

describe("documents", () => {
  it("discovery is the one that clients of the old fleet were generated from", async () => {
    const document = JSON.parse(body(await raw("/fleet/v1/discovery"))) as Record<string, unknown>;
    expect(document).toMatchObject({ id: "fleet:v1", basePath: "/fleet/v1/", rootUrl: "$ENDPOINT/" });
    const { resources, schemas } = document as {
      resources: Record<string, { methods: Record<string, { path: string; httpMethod: string }> }>;
      schemas: Record<string, { properties: Record<string, unknown> }>;
    };
    expect(
      Object.fromEntries(Object.entries(resources).map(([name, { methods }]) => [name, Object.keys(methods).sort()])),
    ).toEqual({ Machines: ["List"], Units: ["Delete", "Get", "List", "Set"], UnitState: ["Get", "List"] });
    expect(resources.Units?.methods.Set).toMatchObject({
      httpMethod: "PUT",
      path: "units/{unitName}",
      request: { $ref: "Unit" },
    });
    expect(schemas.UnitPage).toMatchObject({ properties: { units: { type: "array", items: { $ref: "Unit" } } } });
    const unitMembers = Object.entries(schemas.Unit?.properties ?? {}) as [string, { readonly required?: boolean }][];
    expect(unitMembers.filter(([, { required }]) => required === true).map(([name]) => name)).toEqual([
      ...["name", "options", "desiredState", "machineID"],
    ]);
    for (const name of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
      expect(schemas).toHaveProperty(name[1] ?? "");
  });
  it("OpenAPI describes every route, and refers to nothing that is not there", async () => {
    const document = JSON.parse(body(await raw("/fleet/v1/openapi.json"))) as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toBe("3.1.0");
    for (const { path, method } of OPERATIONS) expect(document.paths[`/${path}`]).toHaveProperty(method.toLowerCase());
    expect(Object.keys(document.components.schemas)).toEqual(Object.keys(SCHEMAS));
    for (const [, name = ""] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas).toHaveProperty(name);
    }
  });
  it.each(OPERATIONS.map(({ id, method, path }) => [id, method, path]))(
    "%s is served: %s %s",
    async (_id, method, path) => {
      const url = `/fleet/v1/${path.replace("{unitName}", "a.service")}?follow=false`;
      const answer = await raw(url.replace(path === "events" ? "" : /\?.*/, ""), {}, method);
      // Of what agents answer, one without a link says that it has none.
      const isOfLink = /^(journal|usage|units\/\{unitName\}\/status)$/.test(path);
      expect(answer).not.toMatch(isOfLink ? /^HTTP\/1\.1 (405|500)/ : /^HTTP\/1\.1 (405|501|500)/);
      expect(answer).not.toContain("is not a path of this API");
    },
  );
});

describe("placement", () => {
  const machine = (id: string, metadata: object): string =>
    JSON.stringify({ id, primaryIP: "", metadata, version: "2", capabilities: [], instanceID: id });
  it("says where a unit is, or why it is nowhere, machines with one reason together", async () => {
    const { keys } = registry;
    for (const [id, metadata] of [
      ["m1", { disk: "ssd" }],
      ["m2", {}],
      ["m3", {}],
    ] as const)
      await put(keys.machine(id), machine(id, metadata));
    const fleet = (name: string, value: string) => ({ section: "X-Fleet", name, value });
    await client.setUnit("a@1.service", {
      options: [...file, fleet("MachineMetadata", "disk=ssd"), fleet("Conflicts", "a@*")],
      desiredState: "launched",
    });
    await expect.poll(async () => (await client.getPlacement("a@1.service"))?.machines).toBe(3);
    expect(await client.getPlacement("a@1.service")).toMatchObject({
      fitting: 1,
      summary: "pending: 1 of 3 machines fits, but no engine leads",
      reasons: [{ reason: "its metadata lacks disk=ssd", machines: 2, examples: ["m2", "m3"] }],
    });
    const record = JSON.parse(
      (await registry.etcd.range({ start: keys.unit("a@1.service"), end: `${keys.unit("a@1.service")}\0` }))
        .keyValues[0]?.value ?? "",
    );
    const { revision } = await put(
      keys.unit("a@1.service"),
      JSON.stringify({ ...record, machineID: "m1", cause: "it fits" }),
    );
    await client.setUnit("a@2.service", {
      options: [...file, fleet("MachineMetadata", "disk=ssd"), fleet("Conflicts", "a@*")],
      desiredState: "launched",
    });
    expect(revision).toBeGreaterThan(0);
    expect(await client.getPlacement("a@1.service")).toMatchObject({ summary: "on machine m1: it fits" });
    expect(await client.getPlacement("a@2.service")).toMatchObject({
      fitting: 0,
      summary: "pending: none of 3 machines fits",
      reasons: [{ machines: 2 }, { reason: "it conflicts with a@1.service there", machines: 1, examples: ["m1"] }],
    });
    expect(await client.getPlacement("none.service")).toBeNull();
  });
});

function raw(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = Object.entries({ host: "x", connection: "close", ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const stream = connect(socket, () => stream.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
    let text = "";
    stream.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    stream.on("error", reject);
    stream.on("close", () => resolve(text));
  });
}

function body(answer: string): string {
  const text = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  return text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
}
