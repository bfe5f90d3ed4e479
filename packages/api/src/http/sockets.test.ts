import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, openSockets, type SocketOptions } from "./sockets.ts";

const path = join(tmpdir(), `fleet-sockets-${process.pid}.sock`);
const open: Socket[] = [];
let listeners: readonly Listener[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await Promise.all(listeners.map((listener) => listener.close()));
});

async function serve(mostConnections?: number, timeouts: SocketOptions["timeouts"] = {}): Promise<void> {
  listeners = await openSockets({
    handler: (_request, response) => void response.end("served"),
    version: "2.0.0",
    passed: 0,
    addresses: [{ kind: "unix", path }],
    tls: null,
    timeouts,
    ...(mostConnections === undefined ? {} : { mostConnections }),
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
    await serve(2);
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
      await serve(1, { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20 });
      const silent = connect({ path, allowHalfOpen: true }, () => silent.write(text));
      open.push(silent);
      silent.resume();
      await new Promise((resolve) => silent.once("end", resolve));
      await expect.poll(() => send(WHOLE)).toContain("served");
    },
  );
  it("that send half a request hold up no other", async () => {
    await serve();
    for (let count = 0; count < 500; count++) void send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").catch(() => undefined);
    expect(await send(WHOLE)).toContain("served");
  });
});
