import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { EtcdConfig } from "@fleet/config";

/** How full the database of a member of etcd is, by its own word. */
export interface EtcdSpace {
  /** The member's URL, as configured. */
  readonly server: string;
  /** Of its database, with what was deleted and not yet given back by a defragmentation. */
  readonly bytes: number;
  /** Where it takes no more writes; null: it has no quota, and goes on until its disk is full. */
  readonly quotaBytes: number | null;
}

/** Far above what etcd's metrics are. */
const MOST_BYTES = 4_000_000;

/**
 * Asks each configured member of etcd how full it is, by the metrics that it serves beside its API: etcd before 3.6 tells
 * its quota nowhere else. A member that does not answer, or does not tell, is left out.
 */
export async function readSpace(
  config: Pick<EtcdConfig, "servers" | "tls" | "requestTimeoutMs">,
): Promise<readonly EtcdSpace[]> {
  const found = await Promise.all(
    config.servers.map(async (server) => {
      const space = spaceIn(await metricsOf(server, config).catch(() => ""));
      return space === null ? [] : [{ server, ...space }];
    }),
  );
  return found.flat();
}

/** What etcd's metrics say of its space; null: nothing. */
export function spaceIn(metrics: string): Omit<EtcdSpace, "server"> | null {
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1] ?? Number.NaN);
  const bytes = figure("etcd_mvcc_db_total_size_in_bytes");
  const quota = figure("etcd_server_quota_backend_bytes");
  if (!Number.isFinite(bytes) || !Number.isFinite(quota)) return null;
  return { bytes, quotaBytes: quota > 0 ? quota : null };
}

function metricsOf(
  server: string,
  { tls, requestTimeoutMs }: Pick<EtcdConfig, "tls" | "requestTimeoutMs">,
): Promise<string> {
  const url = new URL("/metrics", server);
  const files = { ca: tls?.ca ?? undefined, cert: tls?.cert ?? undefined, key: tls?.key ?? undefined };
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(requestTimeoutMs);
    const sent =
      url.protocol === "https:"
        ? requestHttps(url, { ...files, agent: false, signal })
        : requestHttp(url, { agent: false, signal });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MOST_BYTES) sent.destroy(new Error("the metrics are too long"));
      });
      response.on("error", reject);
      response.on("end", () => resolve(text));
    });
    sent.end();
  });
}
