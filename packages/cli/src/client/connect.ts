import { readFileSync } from "node:fs";
import { type Endpoint, FleetApiError, type LastView, readEndpoints, type TlsFiles } from "@fleet/client";
import { hostPortText } from "@fleet/config";
import type { GlobalFlags } from "../command-line/flag-values.ts";
import { CommandError } from "../errors.ts";
import type { Ssh } from "../ssh/ssh.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { HttpClient } from "./http-client.ts";

/**
 * Connects to the cluster that the flags ask for, through a tunnel where they ask for one.
 *
 * @param onLastView called where the API can only tell what it last saw; null: reads fail then
 */
export async function connect(
  flags: GlobalFlags,
  ssh: Ssh,
  onLastView: ((view: LastView) => void) | null = null,
): Promise<ClusterClient> {
  if (flags.driver === "etcd") {
    if (flags.ssh.tunnel !== null) {
      throw new CommandError(
        "--tunnel carries fleet's API, not etcd: leave out --driver=etcd, or run fleetctl at the far side",
      );
    }
    const { openEtcdClient } = await import("./etcd-client.ts");
    return openEtcdClient(flags);
  }
  const endpoints = checkedEndpoints(flags.endpoint);
  const isSecure = endpoints.some((endpoint) => endpoint.kind === "tcp" && endpoint.isSecure);
  const options = {
    endpoint: flags.endpoint,
    timeoutMs: flags.requestTimeoutMs,
    tls: isSecure ? readTls(flags) : NO_TLS,
    ...readToken(flags),
    ...(onLastView === null ? {} : { onLastView }),
  };
  if (flags.ssh.tunnel === null) return new HttpClient(options);
  const [endpoint] = endpoints;
  if (endpoints.length > 1)
    throw new CommandError("--tunnel leads to one API: give --endpoint one, as the bastion sees it");
  const tunnel = await ssh.openTunnel(farSide(endpoint));
  return new HttpClient({ ...options, connect: () => tunnel.connect() }, () => tunnel.close());
}

function checkedEndpoints(text: string): readonly [Endpoint, ...Endpoint[]] {
  try {
    return readEndpoints(text);
  } catch (error) {
    if (!(error instanceof FleetApiError)) throw error;
    throw new CommandError(
      `invalid --endpoint ${JSON.stringify(text)}: expected unix:///path, http://host:port or https://host:port`,
    );
  }
}

/** An endpoint as ssh's -L takes it. */
function farSide(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return endpoint.path;
  return hostPortText(endpoint);
}

function readToken({ tokenFile }: GlobalFlags): { readonly token?: string } {
  if (tokenFile === "") return {};
  const token = read("--token-file", tokenFile).trim();
  if (/^\S+$/.test(token)) return { token };
  throw new CommandError(`--token-file ${tokenFile} does not hold a token: expected one word`);
}

function read(flag: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandError(`${flag} ${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

const NO_TLS: TlsFiles = { ca: null, cert: null, key: null };

function readTls({ caFile, certFile, keyFile }: GlobalFlags): TlsFiles {
  if ((certFile === "") !== (keyFile === ""))
    throw new CommandError("--cert-file and --key-file belong together: give both, or neither");
  const pem = (flag: string, path: string): string | null => (path === "" ? null : read(flag, path));
  return { ca: pem("--ca-file", caFile), cert: pem("--cert-file", certFile), key: pem("--key-file", keyFile) };
}
