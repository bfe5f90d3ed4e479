import type { AnsweredRequest } from "@fleet/api";
import { Counter, type Registry as Metrics, Summary } from "prom-client";

/** The time that quantiles look back, in seconds. */
const LOOK_BACK_S = 600;

/**
 * Adds the metrics of HTTP requests, by the names and labels that the old fleet had. It counted those for metrics only,
 * as handler `prometheus`; all others are handler `api` here.
 *
 * @returns called with each request that was answered
 */
export function addRequestMetrics(metrics: Metrics): (request: AnsweredRequest) => void {
  const registers = [metrics];
  const total = new Counter({
    name: "http_requests_total",
    help: "HTTP requests that were answered.",
    labelNames: ["code", "handler", "method"],
    registers,
  });
  const summary = (name: string, help: string): Summary<"handler"> =>
    new Summary({
      name,
      help,
      labelNames: ["handler"],
      percentiles: [0.5, 0.9, 0.99],
      maxAgeSeconds: LOOK_BACK_S,
      ageBuckets: 5,
      registers,
    });
  const microseconds = summary("http_request_duration_microseconds", "Microseconds that HTTP requests took.");
  const requestBytes = summary("http_request_size_bytes", "Bytes of the bodies of HTTP requests.");
  const responseBytes = summary("http_response_size_bytes", "Bytes of the bodies of answers to HTTP requests.");
  return ({ method, url, status, ms, requestBytes: sent, responseBytes: answered }) => {
    const handler = url.split("?")[0] === "/metrics" ? "prometheus" : "api";
    total.inc({ code: String(status), handler, method: method.toLowerCase() });
    microseconds.observe({ handler }, ms * 1000);
    requestBytes.observe({ handler }, sent);
    responseBytes.observe({ handler }, answered);
  };
}
