import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCA } from "../../../../testbed/certificates.ts";
import { EtcdServer, freePort } from "../../../../testbed/etcd-server.ts";
import { readSpace, spaceIn } from "./etcd-space.ts";

describe("what etcd's metrics say of its space", () => {
  const SIZE = "etcd_mvcc_db_total_size_in_bytes 1.6384e+06\n";
  it.each([
    ["its size and quota", `a 1\n${SIZE}etcd_server_quota_backend_bytes 2.147483648e+09\n`, 2_147_483_648],
    ["that it has no quota", `${SIZE}etcd_server_quota_backend_bytes -1\n`, null],
  ])("is %s", (_what, text, quotaBytes) => expect(spaceIn(text)).toEqual({ bytes: 1_638_400, quotaBytes }));
  it.each([
    ["an older etcd, without a quota", SIZE],
    ["something else", "<html></html>"],
    ["nothing", ""],
  ])("of %s is nothing", (_what, text) => expect(spaceIn(text)).toBeNull());
});

describe("a real etcd's space", () => {
  let ca: TestCA;
  let server: EtcdServer;
  beforeAll(async () => {
    ca = new TestCA();
    const tls = { ...ca.sign("etcd", ["IP:127.0.0.1"]), clientCA: ca.ca };
    server = await EtcdServer.start({ tls, args: ["--quota-backend-bytes=50000000"] });
  });
  afterAll(async () => {
    await server.stop();
    ca.remove();
  });
  it("is read over TLS, with a client's certificate, and members that do not answer are left out", async () => {
    const { cert, key } = ca.sign("fleet", []);
    const text = (path: string): string => readFileSync(path, "utf8");
    const tls = { ca: text(ca.ca), cert: text(cert), key: text(key) };
    const servers = [server.url, `https://127.0.0.1:${await freePort()}`];
    const found = await readSpace({ servers, tls, requestTimeoutMs: 5_000 });
    expect(found).toEqual([{ server: server.url, bytes: expect.any(Number), quotaBytes: 50_000_000 }]);
    expect(found[0]?.bytes).toBeGreaterThan(1_000);
    expect(await readSpace({ servers, tls: null, requestTimeoutMs: 5_000 })).toEqual([]);
  });
  it("is not waited for longer than a request may take, nor read without an end", async () => {
    const mute = createServer((request, response) => {
      if (request.url === "/metrics" && request.headers.host?.startsWith("localhost")) return;
      const more = (error?: Error | null): void => {
        if (error == null) response.write("x".repeat(100_000), more);
      };
      more();
    });
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as AddressInfo;
    const servers = [`http://localhost:${port}`, `http://127.0.0.1:${port}`];
    expect(await readSpace({ servers, tls: null, requestTimeoutMs: 1_000 })).toEqual([]);
    mute.closeAllConnections();
    await new Promise((resolve) => mute.close(resolve));
  });
});
