import type { GlobalFlags } from "../context.ts";
import { CommandError } from "../errors.ts";
import type { FleetClient } from "./fleet-client.ts";
import { type Endpoint, HttpClient } from "./http-client.ts";

/** Builds the client that the flags ask for. Nothing is sent yet. */
export async function connect(flags: GlobalFlags): Promise<FleetClient> {
  if (flags.driver === "etcd") {
    const { openEtcdClient } = await import("./etcd-client.ts");
    return openEtcdClient(flags);
  }
  return new HttpClient(readEndpoint(flags.endpoint), flags.requestTimeoutMs);
}

/** Reads --endpoint. */
export function readEndpoint(endpoint: string): Endpoint {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  const path = url === null ? "" : decodeURIComponent(url.pathname);
  if (url?.protocol === "unix:" && url.host === "" && path.length > 1) return { kind: "unix", path };
  if (url?.protocol === "http:" && url.hostname !== "") {
    return { kind: "tcp", host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || "80") };
  }
  throw new CommandError(`invalid --endpoint ${JSON.stringify(endpoint)}: expected unix:///path or http://host:port`);
}
