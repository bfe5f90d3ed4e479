import { connect } from "node:net";
import { SeededRandom } from "../testbed/seeded-random.ts";

const MOST_MS = 100;
const CONNECTIONS = 6;
const USUAL = ["GET", "GET", "PUT", "PUT", "PUT", "PATCH", "DELETE"];
const METHODS = ["GET", "PUT", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", ""];
const SEGMENTS = [
  ...["fleet", "v1", "v1-alpha", "units", "state", "machines", "metrics", "discovery", "openapi.json", "placement"],
  ...["a.service", "a@.service", "a@b.service", "%2e%2e", "..", "%00", "%zz", "é", "a".repeat(300), "x y", ""],
];
const PATHS = [
  ...[
    "/fleet/v1/units",
    "/fleet/v1/units/a.service",
    "/fleet/v1/state",
    "/fleet/v1/machines",
    "/v1-alpha/units/b.timer",
  ],
  ...[
    "/fleet/v1/units/a@1.service/placement",
    "/fleet/v1/events?follow=false",
    "/fleet/v1/state/a.service",
    "/metrics",
  ],
];
const BODIES = [
  '{"name":"a.service","desiredState":"loaded","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}]}',
  '{"Options":[{"Section":"X-Fleet","Name":"Conflicts","Value":"*"},{"section":"Service","name":"ExecStart","value":"x"}],"DesiredState":"launched"}',
  '[{"op":"add","path":"/m1/metadata/a","value":{"value":"b"}},{"op":"remove","path":"/m1/metadata/c"}]',
  '{"desiredState":"inactive"}',
  '{"__proto__":{"x":1},"constructor":null,"options":null}',
];
const HEADERS = [
  ...[
    "Content-Type: application/json",
    "Content-Type: text/plain",
    "Content-Type: application/json\r\nContent-Type: x",
  ],
  ...[
    "Last-Event-ID: 1",
    "Last-Event-ID: 99999999999999999999",
    "Expect: 100-continue",
    "Accept: */*",
    "X: \x01",
    "A:".padEnd(9000, "b"),
  ],
  ...[
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Content-Length: x",
    "Upgrade: websocket\r\nConnection: upgrade",
  ],
];

/** What a fuzz run came to. */
export interface RequestTally {
  readonly problems: readonly string[];
  readonly statuses: ReadonlyMap<string, number>;
}

/** Sends random requests over raw connections. Nothing may crash, be answered with a 5xx, or take long when sent alone. */
export async function fuzzRequests(
  count: number,
  seed: number,
  port: number,
  onProgress: (done: number) => void,
): Promise<RequestTally> {
  const random = new SeededRandom(seed);
  const problems: string[] = [];
  const statuses = new Map<string, number>();
  const slow: Buffer[] = [];
  let sent = 0;
  const work = async (): Promise<void> => {
    while (sent < count && problems.length < 20) {
      if (sent % 50_000 === 0) onProgress(sent);
      sent++;
      const request = makeRequest(random);
      const { status, ms } = await send(port, request);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (/^5/.test(status) || status === "refused")
        problems.push(`${status}: ${JSON.stringify(request.toString("latin1").slice(0, 600))}`);
      if (ms > MOST_MS && status !== "open") slow.push(request);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  for (const request of slow) {
    // Under load a request may wait for others, and this machine is shared: alone, and three times, it may not.
    const times: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) times.push((await send(port, request)).ms);
    if (Math.min(...times) > MOST_MS)
      problems.push(`slow, ${Math.min(...times)} ms: ${JSON.stringify(request.toString("latin1").slice(0, 600))}`);
  }
  return { problems, statuses };
}

/** Sends one request on a connection of its own, as often a client does that does not behave. */
function send(port: number, request: Buffer): Promise<{ readonly status: string; readonly ms: number }> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let text = "";
    const finish = (status: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status, ms: performance.now() - startedAt });
    };
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request));
    // A request that is not whole gets no answer, and need not: it is given up, and the server must not mind.
    const timer = setTimeout(() => finish("open"), 50);
    socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code === "ECONNREFUSED" ? "refused" : "reset"));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      if (status !== undefined && status !== "100") finish(status);
    });
    socket.on("end", () => finish("closed"));
  });
}

function makeRequest(random: SeededRandom): Buffer {
  const path = random.chance(0.6)
    ? random.pick(PATHS)
    : `/${Array.from({ length: random.below(5) }, () => random.pick(SEGMENTS)).join("/")}`;
  const query = random.chance(0.3)
    ? `${path.includes("?") ? "&" : "?"}${random.pick(["nextPageToken=", "unitName=", "machineID=", "unit=", "kind="])}${random.bytes(random.below(6)).toString("base64url")}`
    : "";
  let body = Buffer.from(random.chance(0.5) ? random.pick(BODIES) : "");
  if (random.chance(0.4) && body.length > 0) body = random.mutate(body) as Buffer<ArrayBuffer>;
  if (random.chance(0.002)) body = Buffer.from(random.pick(["[", '{"a":', '"'] as const).repeat(20_000));
  const headers = random.chance(0.2) ? [random.pick(HEADERS)] : [];
  if (random.chance(0.8)) headers.push("Content-Type: application/json", `Content-Length: ${body.length}`);
  const head = `${random.pick(random.chance(0.9) ? USUAL : METHODS)} ${path}${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
  const whole = Buffer.concat([Buffer.from(head, "latin1"), body]);
  return random.chance(0.1) ? random.mutate(whole) : whole;
}
