import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { serveMetrics } from "./metrics-server.ts";

const metrics = { text: async () => ({ contentType: "text/plain; version=0.0.4", text: "a 1\n" }) };
let server: Server | null = null;
afterEach(() => void server?.close());

it("a daemon without an API serves its metrics under /metrics, and nothing else", async () => {
  server = await serveMetrics({ host: "127.0.0.1", port: 0 }, metrics);
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, method = "GET"): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, { method });
  const answer = await ask("/metrics?x=1");
  expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([
    200,
    "text/plain; version=0.0.4",
    "a 1\n",
  ]);
  for (const [path, method] of [
    ["/", "GET"],
    ["/metrics", "POST"],
    ["/metrics/x", "GET"],
  ] as const)
    expect((await ask(path, method)).status).toBe(404);
  await expect(serveMetrics({ host: "127.0.0.1", port }, metrics)).rejects.toThrow(/EADDRINUSE/);
});
