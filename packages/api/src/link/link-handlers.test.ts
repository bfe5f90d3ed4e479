import { Writable } from "node:stream";
import { LinkError } from "@fleet/link";
import type { FastifyReply, FastifyRequest } from "fastify";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { linkHandlers } from "./link-handlers.ts";
import { LinkSessions, MOST_READERS } from "./link-sessions.ts";
import type { Asker } from "./machine-journal.ts";
import { JournalCluster, JournalMachines } from "./testing/journal-cluster.ts";

/** An answer whose connection takes everything at once. */
class Raw extends Writable {
  text = "";
  type = "";
  writeHead(_status: number, headers: Readonly<Record<string, string>>): this {
    this.type = headers["content-type"] ?? "";
    return this;
  }
  flushHeaders(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}

interface Asking {
  readonly query?: Readonly<Record<string, unknown>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly accept?: string;
}

let cluster: JournalCluster;
let machines: JournalMachines;
let sessions: LinkSessions;

beforeEach(() => {
  cluster = new JournalCluster();
  cluster.machine("m1", "h1");
  cluster.unit("a.service", "m1");
  cluster.says("m1", "a.service");
  machines = new JournalMachines();
  sessions = new LinkSessions((error) => {
    throw error;
  });
});
afterEach(() => {
  sessions.close();
  vi.restoreAllMocks();
});

type Name = keyof ReturnType<typeof linkHandlers>;

/** What a handler answers; where it takes the connection over, that. */
async function ask(name: Name, { query = {}, params = {}, accept = "" }: Asking, asker: Asker | null = machines) {
  const raw = new Raw();
  const reply = { raw, hijack: () => undefined } as unknown as FastifyReply;
  const request = { query, params, headers: { accept }, body: query, routeOptions: {}, method: "GET" };
  const { state } = cluster;
  const handlers = linkHandlers({ state, asker, sessions, version: "1.2.3", access: () => null });
  return { answer: await handlers[name](request as unknown as FastifyRequest, reply), raw };
}

const STREAMS: readonly (readonly [Name, Asking])[] = [
  ["Journal.Read", { query: { unit: "a.service" } }],
  ["Journal.Query", { query: { unit: ["a.service"] } }],
  ["Usage.Read", { accept: "text/event-stream" }],
];

describe("an API that asks machines", () => {
  it.each(STREAMS)("refuses %s beyond the most readers that it serves, and says so", async (name, asking) => {
    vi.spyOn(sessions, "count", "get").mockReturnValue(MOST_READERS);
    await expect(ask(name, asking)).rejects.toMatchObject({
      status: 429,
      message: "this server serves 1000 streams of what machines answer, and no more: try another",
    });
  });

  it.each(STREAMS)("counts %s among its streams for as long as it runs", async (name, asking) => {
    await ask(name, asking);
    expect(sessions.count).toBe(1);
    sessions.close();
    await expect.poll(() => sessions.count).toBe(0);
  });

  it("says of every question that it has no link where it has none", async () => {
    for (const [name, asking] of [...STREAMS, ["Units.Status", { params: { unitName: "a.service" } }] as const])
      await expect(ask(name, asking, null)).rejects.toMatchObject({ status: 501 });
  });

  it("tells journals in the form that is asked for", async () => {
    const query = { unit: "a.service" };
    const plain = await ask("Journal.Read", { query });
    const events = await ask("Journal.Read", { query, accept: "text/event-stream" });
    await expect.poll(() => sessions.count).toBe(0);
    expect([plain.raw.type, plain.raw.text]).toEqual(["application/x-ndjson", '{"end":{"units":[]}}\n']);
    expect([events.raw.type, events.raw.text]).toEqual(["text/event-stream", 'event: end\ndata: {"units":[]}\n\n']);
  });

  it("does not know units that no name or glob stands for", async () => {
    const query = { unit: ["a.service", "b*"] };
    await expect(ask("Journal.Read", { query })).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining("b*"),
    });
    await expect(ask("Units.Status", { params: { unitName: "b.service" } })).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    [{}, 10],
    [{ lines: "0" }, 0],
    [{ lines: "25" }, 25],
    [{ lines: "all" }, 10_000],
  ])("asks for the lines of a status that %j wants", async (query, lines) => {
    const asked: unknown[] = [];
    const asker: Asker = {
      async *ask(_machineID, { status }) {
        asked.push(status);
        yield { status: { unit: "a.service", dropIns: [], triggers: [], triggeredBy: [], processes: [] } };
      },
    };
    const { answer } = await ask("Units.Status", { query, params: { unitName: "a.service" } }, asker);
    expect(asked).toEqual([{ units: ["a.service"], lines }]);
    expect(answer).toMatchObject({ units: [{ unit: "a.service", machineID: "m1", hostname: "h1" }] });
  });

  it("tells the status of machines that answer, and why there is none of the others", async () => {
    cluster.machine("m2", "h2");
    for (const machineID of ["m2", "m3"]) cluster.says(machineID, "a.service");
    const asked: string[] = [];
    const asker: Asker = {
      async *ask(machineID) {
        asked.push(machineID);
        if (machineID === "m2") throw new LinkError("refused", "not here");
        yield { status: { unit: "a.service", activeState: "active", mainPid: 7, sinceUs: 1_000_000 } };
      },
    };
    const { answer } = await ask("Units.Status", { params: { unitName: "a.service" } }, asker);
    expect(answer).toMatchObject({
      units: [
        { machineID: "m1", activeState: "active", mainPID: 7, since: "1970-01-01T00:00:01.000000Z" },
        { machineID: "m2", hostname: "h2", error: "not here" },
        { machineID: "m3", error: "m3 is away" },
      ],
    });
    expect(asked).toEqual(["m1", "m2"]);
  });

  it.each([
    [{ interval: "199" }, "interval"],
    [{ interval: "1e3" }, "interval"],
    [{ count: "-1" }, "count"],
  ])("refuses a stream of samples with %j", async (query, name) => {
    await expect(ask("Usage.Read", { query, accept: "text/event-stream" })).rejects.toMatchObject({
      ...{ status: 400, message: expect.stringContaining(`invalid ${name}`) },
    });
  });
});
