import { rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, loadConfig } from "@fleet/config";
import { ObservedEtcd, Registry } from "@fleet/registry";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { EtcdServer } from "../../../testbed/etcd-server.ts";
import { type RunningApi, startApi } from "./index.ts";
import { decodePageToken, encodePageToken } from "./model/page-token.ts";

let server: EtcdServer;
let config: Config;
let registry: Registry;
let api: RunningApi;
let socket: string;
let isHealthy: boolean;
let count = 0;
const unexpected: unknown[] = [];

const log = {
  info() {},
  warn() {},
  debug() {},
  trace() {},
  fatal() {},
  error: (...args: unknown[]) => unexpected.push(args),
};

beforeAll(async () => {
  server = await EtcdServer.start();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  isHealthy = true;
  socket = join(tmpdir(), `fleet-api-${process.pid}-${count}.sock`);
  const env = {
    FLEET_ETCD_SERVERS: server.url,
    FLEET_ETCD_KEY_PREFIX: `/api-${process.pid}-${count++}/`,
    FLEET_API_LISTEN: `unix://${socket}`,
    FLEET_TOKEN_LIMIT: "3",
  };
  config = loadConfig({ file: null, env, readFile: () => "" }).config;
  registry = Registry.open(config.etcd);
  api = await serve(registry);
});
async function serve(served: Registry): Promise<RunningApi> {
  const started = startApi({
    config,
    registry: served,
    log: log as never,
    isHealthy: () => isHealthy,
    etcd: { isReachable: () => isHealthy, silentMs: () => 0 },
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "# none\n" }),
  });
  await started.ready;
  return started;
}
afterEach(async () => {
  await api.stop();
  registry.close();
  rmSync(socket, { force: true });
  expect(unexpected.splice(0)).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  readonly json: unknown;
}
const send = (
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string | string[]> = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        socketPath: socket,
        method,
        path,
        headers: {
          host: "x",
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
          ...headers,
        },
      },
      (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => {
          let json: unknown = null;
          try {
            json = JSON.parse(text);
          } catch {
            // an answer without a body, or not in JSON
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
const JSON_TYPE = { "content-type": "application/json" };
const put = (name: string, body: unknown, prefix = "/fleet/v1") =>
  send("PUT", `${prefix}/units/${name}`, JSON.stringify(body), JSON_TYPE);
const file = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const error = (code: number, message: unknown) => ({ error: { code, message } });

describe("every answer", () => {
  it.each([
    ["GET", "/fleet/v1/units", 200],
    ["GET", "/v1-alpha/machines", 200],
    ["DELETE", "/fleet/v1/units/none.service", 404],
    ["POST", "/fleet/v1/units", 405],
    ["GET", "/nowhere", 404],
    ["GET", "/fleet/v1/units/%zz", 400],
  ])("%s %s has Server and Content-Type", async (method, path, status) => {
    const answer = await send(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.server).toBe("fleetd/2.0.0");
    expect(answer.headers["content-type"]).toBe("application/json");
  });
  it("without a body has them too", async () => {
    await put("a.service", { options: file });
    const { status, headers, text } = await send("DELETE", "/fleet/v1/units/a.service");
    expect([status, text, headers["content-type"], headers.server]).toEqual([
      204,
      "",
      "application/json",
      "fleetd/2.0.0",
    ]);
  });
  it.each([
    ["/fleet/v1/units", "POST"],
    ["/fleet/v1/units", "DELETE"],
    ["/fleet/v1/units/a.service", "POST"],
    ["/fleet/v1/state", "PUT"],
    ["/fleet/v1/state/a.service", "DELETE"],
    ["/fleet/v1/machines", "PUT"],
    ["/metrics", "POST"],
    ["/", "GET"],
    ["/fleet/v1", "GET"],
    ["/v1-alpha", "GET"],
    ["/fleet/v1/units", "PROPFIND"],
  ])("%s by %s is 405, whatever the body", async (path, method) => {
    expect((await send(method, path, "{nonsense", { "content-type": "x/y" })).status).toBe(405);
  });
  it.each([
    ...["/fleet/v1/units/", "/fleet/v1/units//placement", "/fleet/v1/units/a.service/versions/", "/fleet/v1/state/"],
    ...["/fleet/v1/machines/", "/fleet/v2/units", "/units"],
  ])("%s is 404 by any method, since it is no path", async (path) => {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const { status, json } = await send(method, path, method === "PUT" ? "{}" : undefined);
      expect([status, json]).toEqual([404, error(404, `${path} is not a path of this API`)]);
    }
  });
  it("is 503 while the registry can't be used, but for the metrics", async () => {
    isHealthy = false;
    expect(await send("GET", "/fleet/v1/units?view=last")).toMatchObject({
      status: 200,
      headers: { "fleet-view-age": expect.stringMatching(/^\d+$/) },
    });
    expect(await send("GET", "/fleet/v1/units")).toMatchObject({
      status: 503,
      json: error(503, "fleet server unable to communicate with etcd"),
    });
    expect((await send("GET", "/metrics")).status).toBe(200);
  });
});

describe("the text of a unit", () => {
  const get = async (query: string) => (await send("GET", `/fleet/v1/units/texts.service${query}`)).json;
  const text = "# why it sleeps\r\n[Service]\r\nExecStart=/bin/sleep 1\r\n";
  const options = [{ section: "Service", name: "ExecStart", value: "/bin/sleep 1" }];
  it("is kept as it was submitted, and shown where it is asked for", async () => {
    expect((await put("texts.service", { options, text, desiredState: "inactive" })).status).toBe(201);
    expect(await get("?text=true")).toEqual({ ...((await get("")) as object), text });
    expect(await get("?text=false")).not.toHaveProperty("text");
    expect((await send("GET", "/fleet/v1/units")).text).not.toContain("why it sleeps");
    const other = text.replace("why", "how");
    expect((await put("texts.service", { options, text: other, desiredState: "inactive" })).status).toBe(204);
    expect(await get("?text=true")).toMatchObject({ text: other });
  });
  it("of a unit that came without one is what fleet wrote out", async () => {
    await put("plain.service", { options, desiredState: "inactive" });
    expect((await send("GET", "/fleet/v1/units/plain.service?text=true")).json).toMatchObject({
      text: expect.stringContaining("[Service]\nExecStart=/bin/sleep 1\n"),
    });
  });
  it.each([
    ["means something else", { options, text: "[Service]\nExecStart=/bin/false\n" }, 400],
    ["comes without options", { text }, 400],
    ["is too large", { options, text: `${text}# ${"x".repeat(262_144)}` }, 413],
  ])("that %s is refused", async (_what, body, status) => {
    expect((await put("refused.service", { ...body, desiredState: "inactive" })).status).toBe(status);
    expect((await send("GET", "/fleet/v1/units/refused.service")).status).toBe(404);
  });
  it("is asked for by true or false", async () =>
    expect((await send("GET", "/fleet/v1/units/texts.service?text=1")).status).toBe(400));
});

describe("a global unit", () => {
  it("is told as inactive, as the old API does: its states on machines say more", async () => {
    const options = [...file, { section: "X-Fleet", name: "Global", value: "true" }];
    await put("everywhere.service", { options, desiredState: "launched" });
    expect((await send("GET", "/fleet/v1/units/everywhere.service")).json).toMatchObject({
      desiredState: "launched",
      currentState: "inactive",
    });
  });
});

describe("a unit larger than unit_size_limit", () => {
  it("is refused with 413, which says how large it may be, and leaves nothing behind", async () => {
    const options = [{ section: "Service", name: "ExecStart", value: `/bin/a ${"x".repeat(1_600_000)}` }];
    const { status, json } = await put("large.service", { options, desiredState: "inactive" });
    expect([status, json]).toEqual([413, error(413, expect.stringContaining("262144"))]);
    expect((await send("GET", "/fleet/v1/units/large.service")).status).toBe(404);
  });
  it("is taken right up to the limit", async () => {
    const options = [{ section: "Service", name: "ExecStart", value: `/bin/a ${"x".repeat(262_000)}` }];
    expect((await put("fits.service", { options, desiredState: "inactive" })).status).toBe(201);
  });
});

describe("a version that is not put in", () => {
  const explain = (name: string, options: unknown) =>
    send("POST", `/fleet/v1/units/${name}/placement`, JSON.stringify({ options }), JSON_TYPE);
  it("is explained as if it was launched now, and nothing is put in", async () => {
    expect(await explain("new.service", file)).toMatchObject({
      status: 200,
      json: { name: "new.service", desiredState: "launched", machines: 0, fitting: 0 },
    });
    expect((await send("GET", "/fleet/v1/units/new.service")).status).toBe(404);
  });
  it.each([
    ["nonsense.foo", file],
    [
      "a.service",
      [
        { section: "X-Fleet", name: "Global", value: "true" },
        { section: "X-Fleet", name: "MachineID", value: "x" },
      ],
    ],
    ["a.service", "none"],
  ])("is refused where %s with %o is no unit", async (name, options) => {
    expect((await explain(name, options)).status).toBe(400);
  });
});

describe("what never becomes a request", () => {
  const raw = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const stream = connect({ path: socket }, () => stream.write(text));
      let answer = "";
      stream.on("data", (chunk) => {
        answer += chunk;
      });
      stream.on("close", () => resolve(answer));
    });
  it.each([
    ["an unknown method", "FOO /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["no HTTP", "nonsense\r\n\r\n", 405],
    ["headers beyond all measure", `GET / HTTP/1.1\r\nHost: x\r\nA: ${"b".repeat(100_000)}\r\n\r\n`, 431],
    ["a bad length", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400],
    ["an expectation nobody knows", "GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\nConnection: close\r\n\r\n", 417],
  ])("%s is answered as every error is", async (_what, text, status) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/server: fleetd\/2\.0\.0\r\n/i);
    expect(answer).toMatch(/content-type: application\/json\r\n/i);
    expect(answer).toContain(`{"error":{"code":${status},"message":`);
  });
});

describe("a request whose client went away before it was carried out", () => {
  it("is not carried out: the client may have asked for something else since", async () => {
    const body = JSON.stringify({ options: [{ section: "Service", name: "ExecStart", value: "/bin/a" }] });
    const head = `PUT /fleet/v1/units/late.service HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const client = connect(socket);
    const closed = new Promise((resolve) => client.once("close", resolve));
    // All at once, as a daemon that was frozen meanwhile finds it.
    client.end(head + body);
    client.resume();
    await closed;
    await send("PUT", "/fleet/v1/units/next.service", body, { "content-type": "application/json" });
    expect((await send("GET", "/fleet/v1/units/next.service")).status).toBe(200);
    expect((await send("GET", "/fleet/v1/units/late.service")).status).toBe(404);
  });
});

describe("units", () => {
  it("are created with 201, changed with 204, shown, listed by name and deleted", async () => {
    expect((await put("b.service", { name: "b.service", desiredState: "launched", options: file })).status).toBe(201);
    expect((await put("a.service", { options: file })).status).toBe(201);
    expect((await send("GET", "/fleet/v1/units")).text).toBe(
      '{"units":[{"name":"a.service","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}],"desiredState":"inactive","currentState":"inactive"},' +
        '{"name":"b.service","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}],"desiredState":"launched","currentState":"inactive"}]}',
    );
    expect((await put("a.service", { desiredState: "loaded" })).status).toBe(204);
    expect((await put("a.service", { desiredState: "loaded" })).status).toBe(204);
    expect((await put("a.service", { desiredState: "loaded", options: [...file, ...file] })).status).toBe(201);
    expect((await send("GET", "/v1-alpha/units/a.service")).json).toMatchObject({
      name: "a.service",
      desiredState: "loaded",
    });
    expect((await send("DELETE", "/fleet/v1/units/a.service", "x", { "content-type": "foo" })).status).toBe(204);
    expect(await send("GET", "/fleet/v1/units/a.service")).toMatchObject({
      status: 404,
      json: error(404, "unit does not exist"),
    });
    expect((await send("DELETE", "/fleet/v1/units/a.service")).status).toBe(404);
  });
  it.each([
    ["a name in the body that is another", "a.service", { name: "b.service", options: file }, 400, /differs/],
    ["a bad name", "a.exe", { options: file }, 400, /not a unit type/],
    ["a bad name alone", "bad", { desiredState: "loaded" }, 400, /no type/],
    [
      "an option with a line end",
      "a.service",
      { options: [{ section: "S", name: "a", value: "b\nc" }] },
      400,
      /line end/,
    ],
    [
      "a forbidden combination",
      "a.service",
      {
        options: [
          { section: "X-Fleet", name: "Global", value: "true" },
          { section: "X-Fleet", name: "MachineOf", value: "b.service" },
        ],
      },
      400,
      /Global and MachineOf/,
    ],
    ["a template that is to run", "a@.service", { options: file, desiredState: "launched" }, 400, /template/],
    ["an unknown state", "a.service", { options: file, desiredState: "running" }, 400, /inactive, loaded or launched/],
    [
      "an unknown unit without options",
      "a.service",
      { desiredState: "loaded" },
      409,
      /does not exist and options field empty/,
    ],
    ["a name of fleet's own daemons", "fleet.service", { options: file, desiredState: "launched" }, 400, /own daemons/],
    ["a type that systemd can't be given", "a.scope", { options: file, desiredState: "launched" }, 400, /scope/],
    ["a name that is too long", `${"x".repeat(244)}.service`, { options: file, desiredState: "launched" }, 400, /251/],
    ["options of the wrong type", "a.service", { options: "x" }, 400, /options/],
    ["a body that is no object", "a.service", [1], 400, /body/],
  ])("refuse %s", async (_what, name, body, status, message) => {
    expect(await put(name, body)).toMatchObject({ status, json: error(status, expect.stringMatching(message)) });
    expect((await send("GET", "/fleet/v1/units")).text).toBe("{}");
  });
  it.each([
    ["the options that it has", file, 204],
    ["new options", [...file, ...file], 201],
  ])(
    "become inactive by %s without a desired state, as the old fleetctl's --replace waits for",
    async (_what, options, status) => {
      await put("a.service", { options: file, desiredState: "launched" });
      expect((await put("a.service", { options })).status).toBe(status);
      expect((await send("GET", "/fleet/v1/units/a.service")).json).toMatchObject({ desiredState: "inactive" });
    },
  );
  it("refuse a known unit with neither options nor a desired state with 409", async () => {
    await put("a.service", { options: file });
    expect((await put("a.service", {})).status).toBe(409);
  });
  it("take member names in any case, and null as absent, as clients in Go send them", async () => {
    const body = {
      Name: "a.service",
      DesiredState: "loaded",
      Options: [{ Section: "Service", NAME: "ExecStart", Value: "/bin/a" }],
      currentState: null,
    };
    expect((await put("a.service", body)).status).toBe(201);
    expect((await put("a.service", { DESIREDSTATE: "launched", options: null })).status).toBe(204);
    expect((await send("GET", "/fleet/v1/units/a.service")).json).toMatchObject({
      desiredState: "launched",
      options: file,
    });
  });
  it("want one Content-Type, application/json", async () => {
    const body = JSON.stringify({ options: file });
    expect((await send("PUT", "/fleet/v1/units/a.service", body)).status).toBe(415);
    expect((await send("PUT", "/fleet/v1/units/a.service", body, { "content-type": "text/plain" })).status).toBe(415);
    const twice = await new Promise<string>((resolve) => {
      const raw = connect({ path: socket }, () => {
        raw.write(
          `PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
      });
      let text = "";
      raw.on("data", (chunk) => {
        text += chunk;
      });
      raw.on("close", () => resolve(text));
    });
    expect(twice).toContain("415");
    expect(
      (await send("PUT", "/fleet/v1/units/a.service", body, { "content-type": "application/json; charset=utf-8" }))
        .status,
    ).toBe(201);
  });
  it("refuse JSON that is none, and bodies beyond 4 MiB", async () => {
    expect((await send("PUT", "/fleet/v1/units/a.service", "{", JSON_TYPE)).json).toEqual(
      error(400, "the request body is not valid JSON"),
    );
    expect((await put("a.service", { x: "y".repeat(4_400_000) })).status).toBe(413);
  });
  it("are not acknowledged by a server that would deny them a moment later: it says that it is behind", async () => {
    class Behind extends ObservedEtcd {
      override watch(...[, signal, , onOpen]: Parameters<ObservedEtcd["watch"]>): Promise<void> {
        onOpen();
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      }
    }
    await api.stop();
    api = await serve(new Registry(new Behind(registry.etcd, () => undefined), registry.keys));
    expect(await put("a.service", { desiredState: "inactive", options: file })).toMatchObject({
      status: 503,
      json: error(
        503,
        expect.stringContaining("does not show it yet: try again, or try another server (etcd revision "),
      ),
    });
  }, 20_000);
  it("show what was just written without asking etcd for its text", async () => {
    const read = vi.spyOn(registry, "unitFiles");
    expect((await put("fresh.service", { options: file, desiredState: "launched" })).status).toBe(201);
    expect((await send("GET", "/fleet/v1/units/fresh.service")).json).toMatchObject({ name: "fresh.service" });
    expect(read).not.toHaveBeenCalled();
  });
  it("show what is written at once, also many at a time", async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => put(`n${index}.service`, { options: file, desiredState: "launched" })),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        expect((await put(`n${index}.service`, { desiredState: "loaded" })).status).toBe(204);
        expect((await send("GET", `/fleet/v1/units/n${index}.service`)).json).toMatchObject({ desiredState: "loaded" });
      }),
    );
  });
});

describe("versions of a unit", () => {
  const put = (command: string) => {
    const options = [{ section: "Service", name: "ExecStart", value: command }];
    return send("PUT", "/fleet/v1/units/v.service", JSON.stringify({ options, desiredState: "inactive" }), {
      "content-type": "application/json",
    });
  };
  it("are listed the newest first, each with its text, also once the unit is gone", async () => {
    await put("/bin/a");
    await put("/bin/b");
    const listed = await send("GET", "/fleet/v1/units/v.service/versions");
    expect(listed.json).toMatchObject({
      versions: [
        { number: 2, kind: "version", current: true },
        { number: 1, kind: "version" },
      ],
    });
    expect(listed.text).not.toContain("/bin/");
    expect((await send("GET", "/fleet/v1/units/v.service/versions/1")).json).toMatchObject({
      number: 1,
      text: "[Service]\nExecStart=/bin/a\n",
    });
    await send("DELETE", "/fleet/v1/units/v.service");
    expect((await send("GET", "/fleet/v1/units/v.service/versions")).json).toMatchObject({
      versions: [{ number: 2, kind: "destroyed" }, { number: 2, kind: "version" }, { number: 1 }],
    });
    expect((await send("GET", "/fleet/v1/units/v.service/versions/2")).json).toMatchObject({
      text: "[Service]\nExecStart=/bin/b\n",
    });
  });
  it("tell who asked for them, and why", async () => {
    await put("/bin/a");
    await send("DELETE", "/fleet/v1/units/v.service?message=not+needed");
    expect((await send("GET", "/fleet/v1/units/v.service/versions")).json).toMatchObject({
      versions: [
        { kind: "destroyed", by: `uid ${process.getuid?.()} over the socket`, message: "not needed" },
        { kind: "version", by: expect.stringContaining("uid ") },
      ],
    });
    for (const query of [`message=${"x".repeat(1001)}`, "message=a&message=b"])
      expect((await send("DELETE", `/fleet/v1/units/v.service?${query}`)).status).toBe(400);
  });
  it.each([
    ["/fleet/v1/units/none.service/versions", 404],
    ["/fleet/v1/units/v.service/versions/7", 404],
    ["/fleet/v1/units/v.service/versions/x", 400],
  ])("%s is answered with %i where there is none", async (path, status) => {
    await put("/bin/a");
    expect((await send("GET", path)).status).toBe(status);
  });
});

describe("pages", () => {
  it("hold token_limit entries; the last full one has no token", async () => {
    for (const name of ["a", "b", "c", "d", "e", "f"]) await put(`${name}.service`, { options: file });
    const first = (await send("GET", "/fleet/v1/units")).json as { units: unknown[]; nextPageToken: string };
    expect(first.units).toHaveLength(3);
    expect(decodePageToken(first.nextPageToken)).toEqual({ size: 3, number: 2 });
    const second = (await send("GET", `/fleet/v1/units?nextPageToken=${encodeURIComponent(first.nextPageToken)}`)).json;
    expect(second).toMatchObject({ units: [{ name: "d.service" }, { name: "e.service" }, { name: "f.service" }] });
    expect(second).not.toHaveProperty("nextPageToken");
  });
  it("have tokens as the old fleet writes them", () => {
    expect(encodePageToken({ size: 100, number: 2 })).toBe("ZAACAA==");
    expect(decodePageToken("ZAACAA==")).toEqual({ size: 100, number: 2 });
  });
  it.each([
    ["that can't be read", "nextPageToken=xyz"],
    ["of another page size", `nextPageToken=${encodePageToken({ size: 4, number: 1 })}`],
    ["of page 0", `nextPageToken=${encodePageToken({ size: 3, number: 0 })}`],
    [
      "given twice",
      `nextPageToken=${encodePageToken({ size: 3, number: 1 })}&nextPageToken=${encodePageToken({ size: 3, number: 1 })}`,
    ],
  ])("refuse a token %s", async (_what, query) => {
    for (const list of ["units", "state", "machines"])
      expect((await send("GET", `/fleet/v1/${list}?${query}`)).status).toBe(400);
  });
});

describe("states and machines", () => {
  const seed = async (): Promise<void> => {
    const { keys, etcd } = registry;
    const state = (active: string, more = {}) =>
      JSON.stringify({ hash: "h", current: "launched", load: "loaded", active, sub: "x", ...more });
    const failedRun = { result: "exit-code", exitStatus: 3, exitSignal: "SIGKILL", restarts: 12 };
    const machine = (id: string) =>
      JSON.stringify({
        id,
        hostname: id === "m1" ? "one" : undefined,
        primaryIP: `192.0.2.${id.slice(1)}`,
        metadata: { b: "2", a: "1" },
        version: "2.0.0",
        capabilities: [],
        instanceID: "i",
      });
    const { revision } = await etcd.txn(
      [],
      [
        { put: keys.state("m1", "b.service"), value: state("active") },
        { put: keys.state("m2", "a.service"), value: state("failed", { error: "it broke", ...failedRun }) },
        { put: keys.state("m1", "a.service"), value: state("active") },
        { put: keys.machine("m2"), value: machine("m2") },
        { put: keys.machine("m1"), value: machine("m1") },
      ],
    );
    for (let tries = 0; tries < 2000; tries++) {
      await sleep(5);
      const { json } = await send("GET", "/fleet/v1/machines");
      if (
        (json as { machines?: unknown[] }).machines?.length === 2 &&
        (await send("GET", "/fleet/v1/state")).text.includes("b.service")
      )
        return;
    }
    throw new Error(`revision ${revision} was never seen`);
  };
  it("are listed in order and filtered", async () => {
    await seed();
    const names = async (query: string) =>
      (
        (await send("GET", `/fleet/v1/state${query}`)).json as { states: { name: string; machineID: string }[] }
      ).states.map(({ name, machineID }) => `${name} ${machineID}`);
    expect(await names("")).toEqual(["a.service m1", "a.service m2", "b.service m1"]);
    expect(await names("?machineID=m1")).toEqual(["a.service m1", "b.service m1"]);
    expect(await names("?unitName=a.service&machineID=m2")).toEqual(["a.service m2"]);
    expect((await send("GET", "/fleet/v1/state/b.service")).text).toBe(
      '{"name":"b.service","hash":"h","machineID":"m1","systemdLoadState":"loaded","systemdActiveState":"active","systemdSubState":"x","currentState":"launched"}',
    );
    expect((await send("GET", "/fleet/v1/state?unitName=a.service&machineID=m2")).json).toMatchObject({
      states: [{ error: "it broke", systemdResult: "exit-code", exitStatus: 3, exitSignal: "SIGKILL", restarts: 12 }],
    });
    expect(await send("GET", "/fleet/v1/state/none.service")).toMatchObject({
      status: 404,
      json: error(404, "unit state does not exist"),
    });
    expect((await send("GET", "/fleet/v1/machines")).text).toBe(
      '{"machines":[{"id":"m1","primaryIP":"192.0.2.1","hostname":"one","version":"2.0.0","metadata":{"a":"1","b":"2"}},{"id":"m2","primaryIP":"192.0.2.2","version":"2.0.0","metadata":{"a":"1","b":"2"}}]}',
    );
  });
  it("a oneshot that has ended is told from a unit that is still to start", async () => {
    await put("job.service", { options: file, desiredState: "launched" });
    const key = registry.keys.unit("job.service");
    const { keyValues } = await registry.etcd.range({ start: key, end: `${key}\0` });
    const record = JSON.parse(keyValues[0]?.value ?? "");
    expect((await send("GET", "/fleet/v1/units/job.service")).json).not.toHaveProperty("ended");
    await registry.etcd.txn([], [{ put: key, value: JSON.stringify({ ...record, ended: true }) }]);
    await expect
      .poll(async () => (await send("GET", "/fleet/v1/units/job.service")).json)
      .toMatchObject({ ended: true });
  });
  it("come page by page, each state once, also while states change", async () => {
    const { keys, etcd } = registry;
    const value = (sub: string): string =>
      JSON.stringify({ hash: "h", current: "launched", load: "loaded", active: "active", sub });
    const all = Array.from({ length: 20 }, (_, index) => [`u${index % 7}.service`, `m${index}`] as const);
    await etcd.txn(
      [],
      all.map(([name, id]) => ({ put: keys.state(id, name), value: value("running") })),
    );
    await expect.poll(async () => (await send("GET", "/fleet/v1/state?unitName=u0.service")).text).toContain("m14");
    for (let round = 0; round < 2; round++) {
      const found: string[] = [];
      let token = "";
      do {
        const path = `/fleet/v1/state${token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`}`;
        const page = (await send("GET", path)).json as {
          states: { name: string; machineID: string }[];
          nextPageToken?: string;
        };
        found.push(...page.states.map(({ name, machineID }) => `${name} ${machineID}`));
        token = page.nextPageToken ?? "";
        await etcd.txn([], [{ put: keys.state("m0", "u0.service"), value: value(`r${found.length}`) }]);
      } while (token !== "");
      expect(found).toEqual(all.map((entry) => entry.join(" ")).sort());
    }
  });
  it("a unit that the registry has lost is told of, taken away by its name, and taken on where it runs", async () => {
    await seed();
    const { keys, etcd } = registry;
    const value = JSON.stringify({
      ...{ hash: "h", current: "launched", load: "loaded", active: "active", sub: "running", unknown: true },
    });
    await etcd.txn(
      [],
      ["lost.service", "kept.service"].map((name) => ({ put: keys.state("m2", name), value })),
    );
    const state = async (name: string): Promise<unknown> =>
      ((await send("GET", `/fleet/v1/state?unitName=${name}`)).json as { states?: unknown[] }).states?.[0];
    await expect.poll(() => state("kept.service")).toMatchObject({ machineID: "m2", unknown: true });
    const seenAt = await registry.reachedRevision();
    expect((await send("DELETE", "/fleet/v1/units/lost.service")).status).toBe(204);
    expect([...(await registry.unknownUnits(["lost.service", "kept.service"], seenAt))]).toEqual(["kept.service"]);
    expect((await send("DELETE", "/fleet/v1/units/nowhere.service")).status).toBe(404);
    const body = { options: [{ section: "Service", name: "ExecStart", value: "/bin/a" }], desiredState: "inactive" };
    expect((await send("PUT", "/fleet/v1/units/kept.service", JSON.stringify(body), JSON_TYPE)).status).toBe(201);
    const record = (await registry.units(["kept.service"])).get("kept.service");
    expect(record?.whereabouts).toEqual({ kind: "nowhere", last: "m2", preferred: null });
  });
  it("machines that are lost are told of where that is asked for, until they are forgotten", async () => {
    await seed();
    const { keys, etcd } = registry;
    const key = keys.knownMachine("m9");
    const gone = { primaryIP: "192.0.2.9", hostname: "nine", lostSince: "2026-11-26T00:00:00.000Z" };
    await etcd.txn([], [{ put: key, value: JSON.stringify(gone) }]);
    const ids = async (query: string): Promise<readonly string[]> =>
      ((await send("GET", `/fleet/v1/machines${query}`)).json as { machines: { id: string }[] }).machines.map(
        ({ id }) => id,
      );
    await expect.poll(() => ids("?lost=true")).toEqual(["m1", "m2", "m9"]);
    expect((await send("GET", "/fleet/v1/machines?lost=true")).json).toMatchObject({
      machines: [{}, {}, { hostname: "nine", state: "lost", since: "2026-11-26T00:00:00.000Z" }],
    });
    expect(await ids("")).toEqual(["m1", "m2"]);
    expect((await send("GET", "/fleet/v1/machines?lost=perhaps")).status).toBe(400);
    expect((await send("DELETE", "/fleet/v1/machines/m1")).status).toBe(409);
    expect((await send("DELETE", "/fleet/v1/machines/m9")).status).toBe(204);
    expect(await ids("?lost=true")).toEqual(["m1", "m2"]);
  });
  it("metadata is patched in order, for machines that are there and those that are not", async () => {
    await seed();
    // Old clients declare no type.
    const patch = (body: unknown) => send("PATCH", "/fleet/v1/machines", JSON.stringify(body));
    const operations = [
      { op: "add", path: "/m1/metadata/a", value: "9" },
      { Op: "replace", Path: "/m1/metadata/c.d-e_f", Value: { Value: "3" } },
      { op: "remove", path: "/m1/metadata/b", Value: { Value: "" } },
      { op: "add", path: "/nobody/metadata/x", value: "y" },
    ];
    expect((await patch(operations)).status).toBe(204);
    expect((await send("GET", "/fleet/v1/machines")).json).toMatchObject({
      machines: [{ id: "m1", metadata: { a: "9", "c.d-e_f": "3" } }, { id: "m2" }],
    });
    const machines = ((await send("GET", "/fleet/v1/machines")).json as { machines: { metadata: object }[] }).machines;
    expect(machines[0]?.metadata).not.toHaveProperty("b");
  });
  it.each([
    ["a body that is no list", { op: "add" }],
    ["an unknown op", [{ op: "move", path: "/m1/metadata/a", value: "1" }]],
    ["a path elsewhere", [{ op: "add", path: "/m1/primaryIP", value: "1" }]],
    ["a bad key", [{ op: "add", path: "/m1/metadata/a b", value: "1" }]],
    ["an empty value", [{ op: "add", path: "/m1/metadata/a", value: "" }]],
    ["an empty value as old clients send it", [{ op: "add", path: "/m1/metadata/a", Value: { Value: "" } }]],
    ["a number", [{ op: "add", path: "/m1/metadata/a", value: 1 }]],
  ])("a patch with %s is refused whole", async (_what, body) => {
    await seed();
    const both = Array.isArray(body) ? [{ op: "add", path: "/m1/metadata/zzz", value: "1" }, ...body] : body;
    expect((await send("PATCH", "/fleet/v1/machines", JSON.stringify(both), JSON_TYPE)).status).toBe(400);
    expect((await send("GET", "/fleet/v1/machines")).text).not.toContain("zzz");
  });
});
