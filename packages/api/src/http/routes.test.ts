import { createServer, request as httpRequest, Agent as KeepAlive, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { OPERATIONS } from "@fleet/client/description";
import { ClusterState, type Etcd, EtcdHistory, Keys, type Mirror, Registry, type UnitWriter } from "@fleet/registry";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LinkSessions } from "../link/link-sessions.ts";
import { ClusterView } from "../model/cluster-view.ts";
import { EventLog } from "../model/event-log.ts";
import { UnitTexts } from "../unit-texts.ts";
import { Access } from "./access.ts";
import { buildApp } from "./app.ts";
import { AuditLog } from "./audit-log.ts";
import { EventReaders } from "./event-readers.ts";

/**
 * Every path by every method, under both prefixes, held to what is recorded in recorded/: which methods a path
 * has, what others are told, and that a body nobody reads decides about nothing.
 */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
const BODIES: Readonly<Record<string, { readonly type?: string; readonly text?: string }>> = {
  "no body": {},
  "x/y {nonsense": { type: "x/y", text: "{nonsense" },
  "json {nonsense": { type: "application/json", text: "{nonsense" },
  "json {}": { type: "application/json", text: "{}" },
  "json []": { type: "application/json; charset=utf-8", text: "[]" },
  "untyped {}": { text: "{}" },
};
const PREFIXES = ["/fleet/v1", "/v1-alpha"];
const served = [...new Set([...OPERATIONS.map(({ path }) => path), "discovery", "openapi.json"])].map((path) =>
  path
    .replace("{unitName}", "a.service")
    .replace("{machineID}", "m1")
    .replace("{rollID}", "7")
    .replace(/^events$/, "events?follow=false"),
);
const PATHS = [
  ...served,
  ...served.map((path) => `${path.replace(/\?.*/, "")}/`),
  "",
  "units/a.service/nowhere",
  "metrics",
];
const OUTSIDE = ["/", "/metrics", "/metrics/", "/nowhere", "/fleet/v1", "/v1-alpha", "/fleet/v2/units", "/units"];
const QUERIES = [
  "units?",
  "units?nextPageToken=",
  "units?nextPageToken=xyz",
  "units?nextPageToken=a&nextPageToken=b",
  "units?unknown=1",
  "units/?nextPageToken=",
  "units/a.service?x=1",
  "units/a%2Fb.service",
  "units/%zz",
  "units//placement",
  "units/a.service/placement?x=1",
  "UNITS",
  `units/${"a".repeat(1025)}`,
  "machines//cordon",
  "machines?nextPageToken=xyz",
  "state?unitName=a.service&unitName=b.service",
  "state?unitName=a.service&machineID=m1",
  "state?nextPageToken=xyz",
  "events?follow=maybe",
  "events?unknown=1",
  "events?kind=none",
  "nowhere?x=1",
];

/** What nearly every answer has in its head; recorded is what differs. */
const USUAL: Readonly<Record<string, string>> = {
  connection: "keep-alive",
  "content-type": "application/json",
  server: "fleetd/1.2.3",
};
const VARYING = ["date", "keep-alive", "content-length", "transfer-encoding"];

let isHealthy: boolean;
let lastViewAge: number | null;
let access: Access | null;
let server: Server;
const agent = new KeepAlive({ keepAlive: true });

const keys = new Keys("/routes/");
/** An etcd that takes every write and holds nothing. */
const etcd: Etcd = {
  history: new EtcdHistory(),
  range: async () => ({ keyValues: [], count: 0, more: false, revision: 7 }),
  txn: async () => ({ succeeded: true, revision: 7, gets: [] }),
  watch: () => new Promise(() => undefined),
  grantLease: async () => "1",
  keepLeaseAlive: async () => 10,
  revokeLease: async () => undefined,
  close: () => undefined,
};

beforeAll(async () => {
  const state = new ClusterState(keys);
  const app = buildApp({
    registry: new Registry(etcd, keys),
    mirror: { state, revision: 7, waitFor: async () => true, waitForWrite: async () => true } as unknown as Mirror,
    writer: { submit: async () => ({ outcome: "created", revision: 7 }) } as unknown as UnitWriter,
    view: new ClusterView(state, new UnitTexts(async () => new Map())),
    readers: new EventReaders(new EventLog()),
    eventsOpened: Promise.resolve(),
    asker: null,
    sessions: new LinkSessions(() => undefined),
    version: "1.2.3",
    tokenLimit: () => 3,
    unitSizeLimit: () => 262_144,
    access: () => access,
    auditLog: new AuditLog({ kind: "off" }, { info: () => undefined, error: () => undefined }),
    ownName: "h1",
    writeTimeoutMs: 100,
    isHealthy: () => isHealthy,
    lastViewAge: () => lastViewAge,
    etcdAddresses: ["http://192.0.2.1:2379", "http://192.0.2.2:2379"],
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "# none\n" }),
    onUnexpected: (error) => {
      throw error;
    },
    onAnswered: () => undefined,
  });
  await app.ready();
  server = createServer((request, response) => app.routing(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  agent.destroy();
  server.close();
});
beforeEach(() => {
  isHealthy = true;
  lastViewAge = null;
  access = null;
});

it.each(PREFIXES)("every path under %s by every method is answered as recorded", async (prefix) => {
  const recorded = await record(
    PATHS.map((path) => `${prefix}/${path}`),
    METHODS,
    BODIES,
  );
  await expect(recorded.replaceAll(prefix, "PREFIX")).toMatchFileSnapshot("./recorded/paths.txt");
});
it("paths outside the prefixes are answered as recorded", async () => {
  await expect(await record(OUTSIDE, METHODS, BODIES)).toMatchFileSnapshot("./recorded/paths-outside.txt");
});
it.each(PREFIXES)("queries and odd paths under %s are answered as recorded", async (prefix) => {
  const paths = QUERIES.map((path) => `${prefix}/${path}`);
  const recorded = await record(paths, ["GET", "DELETE", "PROPFIND"], { "no body": {} });
  await expect(recorded.replaceAll(prefix, "PREFIX")).toMatchFileSnapshot("./recorded/odd-paths.txt");
});
it.each([
  [
    "without-etcd",
    () => {
      isHealthy = false;
    },
  ],
  [
    "without-token",
    () => {
      access = new Access([]);
    },
  ],
] as const)("paths are answered as recorded %s", async (name, setUp) => {
  setUp();
  const paths = ["/", "/metrics", "/nowhere", ...PATHS.map((path) => `/fleet/v1/${path}`)];
  await expect(await record(paths, METHODS, { "no body": {} })).toMatchFileSnapshot(`./recorded/paths-${name}.txt`);
});

describe("while etcd is away", () => {
  const get = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  beforeEach(() => {
    isHealthy = false;
    lastViewAge = 12;
  });
  it.each([
    ["/fleet/v1/units?view=last", 200],
    ["/v1-alpha/machines?view=last", 200],
    ["/fleet/v1/state?unitName=a.service&view=last", 200],
    ["/fleet/v1/moves?view=last", 200],
    ["/fleet/v1/units/a.service?view=last", 404],
    ["/fleet/v1/units/a.service/placement?view=last", 404],
    ["/fleet/v1/state/a.service?view=last", 404],
  ])("GET %s is answered from the last view, with its age", async (path, status) => {
    const { status: answered, headers } = await get(path);
    expect([answered, headers.get("fleet-view-age")]).toEqual([status, "12"]);
    expect(headers.get("fleet-etcd")).toBe("http://192.0.2.1:2379,http://192.0.2.2:2379");
  });
  it.each([
    ["/fleet/v1/units", null],
    ["/fleet/v1/units?view=best", null],
    ["/fleet/v1/events?view=last", "http://192.0.2.1:2379,http://192.0.2.2:2379"],
    ["/fleet/v1/nowhere?view=last", "http://192.0.2.1:2379,http://192.0.2.2:2379"],
  ])("GET %s is refused, and the answer names etcd's addresses where a last view is asked for", async (path, etcd) => {
    const { status, headers } = await get(path);
    expect([status, headers.get("fleet-view-age"), headers.get("fleet-etcd")]).toEqual([503, null, etcd]);
  });
  it("writes are refused, whatever view they ask for", async () => {
    expect(await ask("DELETE", "/fleet/v1/units/a.service?view=last", {})).toContain("503 |");
    expect(await ask("PUT", "/fleet/v1/machines/m1/cordon?view=last", BODIES["json {}"] ?? {})).toContain("503 |");
  });
  it("who has no token hears nothing of the view or of etcd", async () => {
    access = new Access([]);
    const { status, headers } = await get("/fleet/v1/units?view=last");
    expect([status, headers.get("fleet-view-age"), headers.get("fleet-etcd")]).toEqual([401, null, null]);
  });
  it("there is no last view before the first", async () => {
    lastViewAge = null;
    expect((await get("/fleet/v1/units?view=last")).status).toBe(503);
  });
});

/** Each path, and under it each answer with the requests that get it. */
async function record(paths: readonly string[], methods: readonly string[], bodies: typeof BODIES): Promise<string> {
  let text = "";
  for (const path of paths) {
    const answers = new Map<string, string[]>();
    for (const method of methods) {
      const byAnswer = new Map<string, string[]>();
      for (const [name, body] of Object.entries(bodies)) push(byAnswer, await ask(method, path, body), name);
      for (const [answer, names] of byAnswer)
        push(answers, answer, names.length === Object.keys(bodies).length ? method : `${method} (${names.join(", ")})`);
    }
    text += `${path.replace(/a{1000,}/, "<long>")}\n`;
    for (const [answer, requests] of answers) text += `  ${answer}\n    ${requests.join(" ")}\n`;
  }
  return text;
}

function push(lists: Map<string, string[]>, key: string, entry: string): void {
  lists.set(key, [...(lists.get(key) ?? []), entry]);
}

/** What a request is answered with, on one line. */
function ask(method: string, path: string, { type, text }: { type?: string; text?: string }): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const headers = {
    ...(type === undefined ? {} : { "content-type": type }),
    ...(text === undefined ? {} : { "content-length": text.length }),
  };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ agent, port, host: "127.0.0.1", method, path, headers }, async (response) => {
      const body = (await response.toArray()).join("").replace(/a{1000,}/, "<long>");
      const head = Object.entries(response.headers)
        .filter(([name, value]) => !VARYING.includes(name) && USUAL[name] !== value)
        .map(([name, value]) => `${name}: ${value}`);
      const missing = Object.keys(USUAL).filter((name) => response.headers[name] === undefined);
      resolve(
        [
          response.statusCode,
          body.length > 200 ? "(a document)" : body.trim() || "(empty)",
          ...head.sort(),
          ...missing.map((name) => `no ${name}`),
        ].join(" | "),
      );
    });
    sent.on("error", reject);
    sent.end(text);
  });
}
