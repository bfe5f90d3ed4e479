import { execFileSync } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { endpointText, FleetApi, type LastView, readEndpoint, type StreamItem } from "./index.ts";

const socket = join(tmpdir(), `fleet-client-${process.pid}.sock`);
let server: Server;
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const clients: FleetApi[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
function open(options: Partial<ConstructorParameters<typeof FleetApi>[0]> = {}): FleetApi {
  const client = new FleetApi({ endpoint: `unix://${socket}`, ...options });
  clients.push(client);
  return client;
}
/** A certificate of the test's own for 127.0.0.1, which is its own CA. */
function certificate(): { readonly cert: string; readonly key: string } {
  const made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout - -out -";
  const pem = execFileSync("openssl", [...made.split(" "), "-addext", "subjectAltName=IP:127.0.0.1"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const part = (label: string): string =>
    new RegExp(`-----BEGIN ${label}-----[^]*-----END ${label}-----\\n`).exec(pem)?.[0] ?? "";
  return { cert: part("CERTIFICATE"), key: part("PRIVATE KEY") };
}
const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json", server: "fleetd/2.1.3" }).end(JSON.stringify(body));
};

describe("endpoints", () => {
  it.each([
    ["unix:///run/fleet.sock", { kind: "unix", path: "/run/fleet.sock" }],
    ["http://[::1]:8080", { kind: "tcp", host: "::1", port: 8080, isSecure: false }],
    ["http://fleet/", { kind: "tcp", host: "fleet", port: 80, isSecure: false }],
    ["https://192.0.2.1:8443", { kind: "tcp", host: "192.0.2.1", port: 8443, isSecure: true }],
  ])("%s is read, and written again", (text, endpoint) => {
    const read = readEndpoint(text);
    expect(read).toEqual(endpoint);
    expect(readEndpoint(endpointText(read))).toEqual(endpoint);
  });
  it.each(["", "fleet", "ftp://x", "unix://relative", "unix:///"])("%j is refused", (text) => {
    expect(() => readEndpoint(text)).toThrow("expected unix:///path, http://host:port or https://host:port");
  });
});

describe("a read while etcd is away", () => {
  const away = (response: ServerResponse): void => json(response, { error: { code: 503, message: "no etcd" } }, 503);
  const views: LastView[] = [];
  const onLastView = (view: LastView): void => void views.push(view);
  beforeEach(() => views.splice(0));

  it("is answered from the API's last view where that will do, page by page", async () => {
    answer = (request, response) => {
      if (!request.url?.includes("view=last")) return away(response);
      response.setHeader("fleet-view-age", "12").setHeader("fleet-etcd", "http://a:2379,http://b:2379");
      json(
        response,
        request.url.includes("nextPageToken")
          ? { units: [{ name: "b" }] }
          : { units: [{ name: "a" }], nextPageToken: "t" },
      );
    };
    expect(await open({ onLastView }).listUnits()).toEqual([{ name: "a" }, { name: "b" }]);
    const view = { ageSeconds: 12, etcd: ["http://a:2379", "http://b:2379"] };
    expect(views).toEqual([view, view]);
    await expect(open().listUnits()).rejects.toThrow("no etcd");
  });
  it("fails where the API has no last view", async () => {
    answer = (_request, response) => away(response);
    await expect(open({ onLastView }).getUnit("a.service")).rejects.toMatchObject({ status: 503 });
    expect(views).toEqual([]);
  });
  it("is a usual one where etcd has come back meanwhile", async () => {
    answer = (request, response) =>
      request.url?.includes("view=last") ? json(response, { machines: [] }) : away(response);
    expect(await open({ onLastView }).listMachines()).toEqual([]);
    expect(views).toEqual([]);
  });
  it("is no write: those fail", async () => {
    answer = (_request, response) => away(response);
    await expect(open({ onLastView }).deleteUnit("a.service")).rejects.toMatchObject({ status: 503 });
    expect(requests).toHaveLength(1);
  });
});

describe("requests", () => {
  it("read every page of a list", async () => {
    answer = (request, response) =>
      json(
        response,
        request.url?.includes("nextPageToken=t%2F1")
          ? { units: [{ name: "b" }] }
          : { units: [{ name: "a" }], nextPageToken: "t/1" },
      );
    expect(await open().listUnits()).toEqual([{ name: "a" }, { name: "b" }]);
    expect(requests.map(({ url }) => url)).toEqual(["/fleet/v1/units", "/fleet/v1/units?nextPageToken=t%2F1"]);
  });
  it("are sent again where the server breaks off before it answers, which a second time changes nothing", async () => {
    let count = 0;
    answer = (request, response) => {
      if (count++ === 0) request.socket.destroy();
      else if (request.method === "DELETE") response.writeHead(404).end();
      else json(response, { units: [] });
    };
    expect(await open().listUnits()).toEqual([]);
    count = 0;
    expect(await open().deleteUnit("gone.service")).toBe(true);
    expect(requests).toHaveLength(4);
  });
  it("are given up after six attempts, and those that would do a thing twice after one", async () => {
    answer = (request) => request.socket.destroy();
    await expect(open().listUnits()).rejects.toThrow("can't be reached: socket hang up");
    expect(requests).toHaveLength(6);
    await expect(open().rebalance({ isDryRun: false, limit: 1 } as never)).rejects.toThrow("can't be reached");
    expect(requests).toHaveLength(7);
  });
  it("show a token, and learn the server's version", async () => {
    answer = (_request, response) => json(response, { machines: [] });
    const client = open({ token: "secret" });
    expect(client.serverVersion).toBeNull();
    await client.listMachines();
    expect(requests[0]?.headers.authorization).toBe("Bearer secret");
    expect(client.serverVersion).toBe("2.1.3");
  });
  it("pass the server's own words on, with the status", async () => {
    answer = (_request, response) => json(response, { error: { code: 400, message: "no such thing" } }, 400);
    await expect(open().setUnit("a.service", {})).rejects.toMatchObject({
      code: "refused",
      status: 400,
      message: "no such thing",
    });
  });
  it("know a server that is not fleet's", async () => {
    answer = (_request, response) => response.end("<html>");
    await expect(open().listUnits()).rejects.toMatchObject({ code: "not-fleet" });
  });
  it("are given up after their time-out, in which waiting for their turn does not count", async () => {
    answer = (_request, response) => void setTimeout(() => json(response, { units: [] }), 200);
    const client = open({ timeoutMs: 2_000 });
    await Promise.all(Array.from({ length: 64 * 12 }, () => client.listUnits())); // twelve turns of 200 ms
    answer = () => undefined;
    await expect(open({ timeoutMs: 100 }).listUnits()).rejects.toMatchObject({ code: "timeout" });
  });
  it.each(["http", "https"])("over %s leave nothing on its way when they are given up", async (scheme) => {
    const ends: (string | undefined)[] = [];
    const { cert, key } = certificate();
    const tcp = scheme === "http" ? createServer() : createSecureServer({ cert, key });
    tcp.on("clientError", ({ code }: NodeJS.ErrnoException) => ends.push(code));
    tcp.on("request", (request: IncomingMessage) => request.socket.once("end", () => ends.push("end")));
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    const { port } = tcp.address() as AddressInfo;
    const tls = scheme === "http" ? {} : { tls: { ca: cert, cert: null, key: null } };
    const client = open({ endpoint: `${scheme}://127.0.0.1:${port}`, timeoutMs: 500, ...tls });
    await expect(client.setUnit("a.service", {})).rejects.toMatchObject({ code: "timeout" });
    // An orderly end would have the kernel deliver what was sent, however late.
    await vi.waitFor(() => expect(ends).toEqual(["ECONNRESET"]), 5_000);
    tcp.closeAllConnections();
    tcp.close();
  });
  it("say who can't be reached", async () => {
    await expect(open({ endpoint: "unix:///nowhere" }).listUnits()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("fleet's API at unix:///nowhere can't be reached: no such socket"),
    });
  });
});

describe("events", () => {
  const stream = (response: ServerResponse, text: string): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text);
  };
  const event = (revision: number) => ({ kind: "active", time: "t", revision, cause: "c", unit: "a.service" });
  const line = (revision: number): string => `id: ${revision}\ndata: ${JSON.stringify(event(revision))}\n\n`;
  async function take(items: AsyncGenerator<StreamItem>, count: number): Promise<StreamItem[]> {
    const found: StreamItem[] = [];
    while (found.length < count) found.push((await items.next()).value as StreamItem);
    return found;
  }
  it("are taken up again where they broke off", async () => {
    answer = (request, response) => {
      if (requests.length === 1) {
        stream(response, line(5) + line(6));
        setTimeout(() => response.destroy(), 20);
      } else
        stream(
          response,
          `event: gap\ndata: {"message":"missed"}\n\n${line(9)}${request.headers["last-event-id"] === "6" ? "" : "data: {}\n\n"}`,
        );
    };
    const stopping = new AbortController();
    const items = open().events({ units: ["a*"], kinds: ["active"] }, stopping.signal);
    expect(await take(items, 6)).toEqual([
      { kind: "open" },
      { kind: "event", event: event(5) },
      { kind: "event", event: event(6) },
      { kind: "open" },
      { kind: "gap", message: "missed" },
      { kind: "event", event: event(9) },
    ]);
    expect(requests.map(({ url, headers }) => [url, headers["last-event-id"]])).toEqual([
      ["/fleet/v1/events?unit=a*&kind=active", undefined],
      ["/fleet/v1/events?unit=a*&kind=active", "6"],
    ]);
    stopping.abort();
    expect((await items.next()).done).toBe(true);
  });
  it("go on from a quiet server's sign of life", async () => {
    answer = (_request, response) => {
      stream(response, requests.length === 1 ? 'event: revision\nid: 40\ndata: {"revision":40}\n\n' : "");
      if (requests.length === 1) setTimeout(() => response.destroy(), 20);
    };
    const stopping = new AbortController();
    await take(open().events({}, stopping.signal), 2);
    stopping.abort();
    expect(requests.at(-1)?.headers["last-event-id"]).toBe("40");
  });
  it("of a server that has none are refused at once", async () => {
    answer = (_request, response) => json(response, {}, 404);
    await expect(open().events({}, new AbortController().signal).next()).rejects.toMatchObject({ status: 404 });
    expect(requests).toHaveLength(1);
  });
});
