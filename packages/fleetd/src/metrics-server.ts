import { createServer, type Server } from "node:http";
import type { HostPort } from "@fleet/config";
import type { DaemonMetrics } from "./metrics.ts";

/** More scrapers than this at a time are cut off. */
const MOST_CONNECTIONS = 32;
const REQUEST_MS = 10_000;

/**
 * Serves the metrics of a daemon without an API, under /metrics and nothing else.
 *
 * @throws Error where the address can't be listened on
 */
export async function serveMetrics(address: HostPort, metrics: Pick<DaemonMetrics, "text">): Promise<Server> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    const isAsked = request.url?.split("?")[0] === "/metrics" && /^(GET|HEAD)$/.test(request.method ?? "");
    if (!isAsked) {
      response.writeHead(404, { "content-type": "text/plain" }).end("only GET /metrics is served here\n");
      return;
    }
    metrics.text().then(
      ({ contentType, text }) => response.writeHead(200, { "content-type": contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = MOST_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(address.port, address.host, resolve);
  await promise;
  return server;
}
