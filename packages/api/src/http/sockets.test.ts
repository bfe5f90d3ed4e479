import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../testbed/etcd-server.ts";
import type { ConnectionBounds } from "../model/connection-limits.ts";
import { type Listener, openSockets, type SocketOptions } from "./sockets.ts";

const path = join(tmpdir(), `fleet-sockets-${process.pid}.sock`);
const open: Socket[] = [];
let listeners: readonly Listener[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await Promise.all(listeners.map((listener) => listener.close()));
});

const USUAL: ConnectionBounds = { most: 8_192, mostSilent: 2_048, mostSilentOfPeer: 256, graceMs: 2_000 };
async function serve(
  bounds: Partial<ConnectionBounds> = {},
  timeouts: SocketOptions["timeouts"] = {},
  addresses: SocketOptions["addresses"] = [{ kind: "unix", path }],
): Promise<void> {
  listeners = await openSockets({
    handler: (request, response) => {
      response.statusCode = request.url === "/refused" ? 401 : 200;
      response.end("served");
    },
    version: "2.0.0",
    passed: 0,
    addresses,
    tls: null,
    timeouts,
    bounds: { ...USUAL, ...bounds },
  });
}

/** Connects and sends something; what came back until the connection ended, or until it has an answer. */
function send(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(text));
    open.push(socket);
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk;
      if (received.includes("served")) resolve(received);
    });
    socket.on("close", () => resolve(received));
    socket.on("error", () => resolve(received));
  });
}
const WHOLE = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

describe("connections", () => {
  it("beyond the limit are closed at once, and taken again when others have ended", async () => {
    await serve({ most: 2 });
    expect(await send(WHOLE)).toContain("served");
    expect(await send(WHOLE)).toContain("served");
    expect(await send(WHOLE)).toBe("");
    for (const socket of open.splice(0)) socket.destroy();
    let answer = "";
    for (let tries = 0; tries < 100 && answer === ""; tries++) answer = await send(WHOLE);
    expect(answer).toContain("served");
  });
  it.each(["", "GET / HTTP/1.1\r\nX-Slow: "])(
    "that send %j and never close their side give their place back after the time-out",
    async (text) => {
      await serve(
        { most: 1, graceMs: 60_000 },
        { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20 },
      );
      const silent = connect({ path, allowHalfOpen: true }, () => silent.write(text));
      open.push(silent);
      silent.resume();
      await new Promise((resolve) => silent.once("end", resolve));
      await expect.poll(() => send(WHOLE)).toContain("served");
    },
  );
  it.each([
    ["silent", ""],
    ["refused", WHOLE.replace("/", "/refused")],
  ])("that are %s make room for those that ask for what they may", async (_what, text) => {
    await serve({ most: 4, mostSilentOfPeer: 2, graceMs: 0 });
    expect(await send(WHOLE)).toContain("served");
    const held = open.length;
    for (let count = 0; count < 20; count++) {
      const socket = connect(path, () => socket.write(text)).on("error", () => undefined);
      open.push(socket);
      await new Promise((resolve) => socket.once(text === "" ? "connect" : "data", resolve));
      expect(await send(WHOLE.replace("1.1\r\n", "1.1\r\nConnection: close\r\n"))).toContain("served");
    }
    expect(open[held - 1]?.destroyed).toBe(false);
  });
  it("that send half a request hold up no other", async () => {
    await serve();
    for (let count = 0; count < 500; count++) void send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").catch(() => undefined);
    expect(await send(WHOLE)).toContain("served");
  });
  it("of a crowd of 8,192 silent ones from 64 addresses keep no request out", async () => {
    const peers = 64;
    const port = await freePort();
    await serve({}, {}, [{ kind: "tcp", host: "127.0.0.1", port }]);
    const ask = async (): Promise<void> => {
      const signal = AbortSignal.timeout(10_000);
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" }, signal });
      expect(await answer.text()).toBe("served");
    };
    // A process of its own: both ends together would take more descriptors than a process may have.
    const crowd = spawn(process.execPath, ["--input-type=module", "-e", CROWD, String(port), String(peers)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let isThere = false;
      crowd.stdout.once("data", () => {
        isThere = true;
      });
      while (!isThere) await ask();
      for (let count = 0; count < 100; count++) await ask();
    } finally {
      crowd.kill("SIGKILL");
    }
  });
});

/** Opens 8,192 connections that say nothing, and says so once all of them are taken, closed, or on their way for half a second. */
const CROWD = `
import { connect } from "node:net";
const [port, peers] = process.argv.slice(1).map(Number);
const one = (index) => new Promise((resolve) => {
  const localAddress = "127.0." + (1 + (index % peers)) + ".1";
  const socket = connect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true }, resolve);
  // The kernel may keep one waiting for many seconds: that one is let go on its own.
  socket.setTimeout(500, resolve).on("error", resolve).on("close", resolve).resume();
});
// In steps that the kernel's queue of 4,096 holds: it drops the others, which come again after seconds only.
for (let step = 0; step < 16; step++) await Promise.all(Array.from({ length: 512 }, (_, index) => one(step * 512 + index)));
console.log("there");
setInterval(() => {}, 1000);
`;
