import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FleetApi, type JournalItem } from "./index.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server at a socket of its own, that says what a test wants and keeps what it was asked. */
function serverAt(name: string) {
  const path = join(tmpdir(), `fleet-link-${process.pid}-${name}.sock`);
  const state = { urls: [] as string[], answer: ((_request, response) => response.end()) as Handler };
  let server: Server;
  beforeAll(async () => {
    server = createServer((request, response) => {
      state.urls.push(decodeURIComponent((request.url ?? "").replaceAll("+", " ")));
      state.answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
  });
  beforeEach(() => void state.urls.splice(0));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(state, { endpoint: `unix://${path}` });
}

const one = serverAt("one");
const other = serverAt("other");

async function withApi<T>(endpoint: string, work: (api: FleetApi) => Promise<T>): Promise<T> {
  const api = new FleetApi({ endpoint, timeoutMs: 2_000 });
  try {
    return await work(api);
  } finally {
    api.close();
  }
}

const entry = (cursor: string, machineID = "m1") => ({
  entry: { unit: "a.service", machineID, cursor, timestamp: "2026-01-01T00:00:00.000001Z", message: cursor },
});
const END = { end: { units: [{ unit: "a.service", how: "stopped" }] } };
const asJson = (response: ServerResponse, body: unknown): void =>
  void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
const begin = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "content-type": "application/x-ndjson" });
const lines = (...values: object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join("");

async function allOf(endpoint: string): Promise<string[]> {
  return withApi(endpoint, async (api) => {
    const found: string[] = [];
    const query = { units: ["a.service"], lines: 3, since: "-1 h", follow: true } as const;
    for await (const items of api.journal(query, new AbortController().signal)) found.push(...items.map(textOf));
    return found;
  });
}
function textOf(item: JournalItem): string {
  if (item.kind === "entry") return item.entry.cursor;
  if (item.kind === "note") return item.note.text;
  return item.kind === "end" ? "end" : "resumed";
}

describe("the journal", () => {
  it("is read to its end, however its lines are parted", async () => {
    one.answer = (_request, response) => {
      const text = `\n${lines(entry("c1"), { note: { kind: "moved", text: "it moved" } }, { later: 1 }, END)}`;
      begin(response).write(text.slice(0, 60));
      setImmediate(() => response.write(text.slice(60)));
    };
    expect(await allOf(one.endpoint)).toEqual(["c1", "it moved", "end"]);
    expect(one.urls).toEqual(["/fleet/v1/journal?unit=a.service&lines=3&since=-1 h&follow=true"]);
  });
  it("is taken up at another API after each machine's last entry when the first one dies", async () => {
    one.answer = (_request, response) => {
      if (one.urls.length > 1) return void response.destroy();
      begin(response).write(lines(entry("c1"), entry("d1", "m2"), entry("c2")));
      setTimeout(() => response.destroy(), 20);
    };
    other.answer = (_request, response) => void begin(response).end(lines(entry("c3"), END));
    expect(await allOf(`${one.endpoint},${other.endpoint}`)).toEqual(["c1", "d1", "c2", "resumed", "c3", "end"]);
    expect(other.urls).toEqual([
      "/fleet/v1/journal?unit=a.service&lines=3&since=-1 h&follow=true&after=m1:c2&after=m2:d1",
    ]);
  });
  it("is told once where a stream breaks while a unit that has arrived tells its past", async () => {
    const of = (unit: string, number: number) => ({
      entry: { ...entry(`s=1;i=${number};t=${number}`).entry, unit, message: `${unit} ${number}` },
    });
    one.answer = (_request, response) => {
      if (one.urls.length > 1) return void begin(response).end(lines(of("a", 5), of("b", 6), of("b", 7), END));
      begin(response).write(lines(of("a", 3), of("a", 5), of("b", 4)));
      setTimeout(() => response.destroy(), 20);
    };
    const cursors = (await allOf(one.endpoint)).map((text) => /i=\d/.exec(text)?.[0] ?? text);
    expect(cursors).toEqual(["i=3", "i=5", "i=4", "resumed", "i=6", "i=7", "end"]);
    expect(one.urls[1]).toContain("&after=m1:s=1;i=4;t=4");
  });
  it("is asked for in a body where the cursors of many machines are too long for a path", async () => {
    const machines = Array.from({ length: 300 }, (_, index) => `m${index}`);
    let body = "";
    one.answer = (request, response) => {
      if (one.urls.length === 1) {
        begin(response).write(lines(...machines.map((machine) => entry(`s=1;i=1;t=${"1".repeat(150)}`, machine))));
        return void setTimeout(() => response.destroy(), 20);
      }
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => begin(response).end(lines(END)));
    };
    expect((await allOf(one.endpoint)).slice(-2)).toEqual(["resumed", "end"]);
    expect(one.urls[1]).toBe("/fleet/v1/journal");
    const { after, ...rest } = JSON.parse(body) as { readonly after: readonly string[] };
    expect(rest).toEqual({ unit: ["a.service"], lines: 3, since: "-1 h", follow: true });
    expect(after.map((text) => text.split(":")[0])).toEqual(machines);
  });
  it("of a server without the link is refused at once", async () => {
    one.answer = (_request, response) =>
      void response.writeHead(501).end(JSON.stringify({ error: { code: 501, message: "no link_listen" } }));
    await expect(allOf(one.endpoint)).rejects.toMatchObject({ status: 501, message: "no link_listen" });
    expect(one.urls).toHaveLength(1);
  });
});

describe("status and usage", () => {
  const sample = { machineID: "m1", load: [1, 2, 3] };
  it("are asked for with what was wanted", async () => {
    one.answer = (request, response) =>
      asJson(response, request.url?.includes("usage") ? { machines: [sample] } : { units: [{ unit: "a@1.service" }] });
    await withApi(one.endpoint, async (api) => {
      expect(await api.unitStatus("a@1.service", 5)).toEqual([{ unit: "a@1.service" }]);
      expect(await api.usage({ machines: ["m1"] })).toEqual([sample]);
    });
    expect(one.urls).toEqual(["/fleet/v1/units/a@1.service/status?lines=5", "/fleet/v1/usage?machine=m1"]);
  });
  it("usage comes as a stream, which is opened again where it breaks", async () => {
    one.answer = (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`event: sample\ndata: ${JSON.stringify(sample)}\n\n`);
      if (one.urls.length === 1) setTimeout(() => response.destroy(), 20);
    };
    await withApi(one.endpoint, async (api) => {
      const stopping = new AbortController();
      const samples = api.watchUsage({ intervalMs: 500, count: 0 }, stopping.signal);
      expect([(await samples.next()).value, (await samples.next()).value]).toEqual([sample, sample]);
      stopping.abort();
    });
    expect(one.urls[1]).toBe("/fleet/v1/usage?interval=500&count=0");
  });
});

describe("several endpoints", () => {
  it("are asked in turn until one answers, and that one from then on", async () => {
    one.answer = (_request, response) => asJson(response, { machines: [] });
    await withApi(`unix:///nowhere,http://127.0.0.1:1,${one.endpoint}`, async (api) => {
      expect(await api.listMachines()).toEqual([]);
      expect(await api.listMachines()).toEqual([]);
      expect(api.where).toBe(one.endpoint);
      // Nothing can have been carried out where nobody listens.
      await expect(api.rebalance({ limit: 1 })).resolves.toBeUndefined();
    });
  });
  it("that all are silent are an error that names the last one", async () => {
    await withApi("unix:///nowhere,http://127.0.0.1:1", async (api) => {
      await expect(api.listUnits()).rejects.toMatchObject({ code: "unreachable" });
    });
  });
  it("never get a change that another one may be carrying out", async () => {
    one.answer = () => undefined;
    other.answer = (_request, response) => void response.writeHead(204).end();
    const api = new FleetApi({ endpoint: `${one.endpoint},${other.endpoint}`, timeoutMs: 50 });
    await expect(api.setUnit("a.service", {})).rejects.toMatchObject({ code: "timeout" });
    expect(other.urls).toEqual([]);
    api.close();
  });
});
