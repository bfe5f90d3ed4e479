import { FleetApiError } from "./errors.ts";

/** Where the API is. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly isSecure: boolean };

/**
 * Reads `unix:///path`, `http://host:port` or `https://host:port`. A path after the port is ignored, as the old
 * fleetctl did.
 *
 * @throws FleetApiError
 */
export function readEndpoint(endpoint: string): Endpoint {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  const path = url === null ? "" : decodeURIComponent(url.pathname);
  if (url?.protocol === "unix:" && url.host === "" && path.length > 1) return { kind: "unix", path };
  if ((url?.protocol === "http:" || url?.protocol === "https:") && url.hostname !== "") {
    const isSecure = url.protocol === "https:";
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    return { kind: "tcp", host, port: Number(url.port || (isSecure ? "443" : "80")), isSecure };
  }
  throw new FleetApiError(
    "unreachable",
    `endpoint ${JSON.stringify(endpoint)} is not valid: expected unix:///path, http://host:port or https://host:port`,
  );
}

/**
 * Reads one endpoint, or several parted by commas, each once.
 *
 * @throws FleetApiError
 */
export function readEndpoints(endpoints: string): readonly [Endpoint, ...Endpoint[]] {
  // A comma in a socket's path is one: only what begins as an endpoint is another one.
  const [first = "", ...others] = new Set(endpoints.split(/,\s*(?=[a-z]+:\/\/)/));
  return [readEndpoint(first), ...others.map(readEndpoint)];
}

/** The endpoint as users write it. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.isSecure ? "https" : "http"}://${host}:${endpoint.port}`;
}
