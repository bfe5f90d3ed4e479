import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "../testbed/test-cluster.ts";
import type { History } from "./history.ts";
import type { RegistryWatch } from "./registry-watch.ts";
import { TTL_MS } from "./target.ts";

const QUIET_MS = 60_000;
/** What changes nothing in systemd. */
const READING = /^(Get|GetAll|List|Introspect|Ping|GetUnit|LoadUnit)/;

/** Invariant 8: at rest nothing is written to etcd, and nothing that changes anything is asked of systemd. */
export async function quiet(cluster: TestCluster, watch: RegistryWatch, history: History): Promise<void> {
  // Leases that were lost on the way end in their own time, and timers of the hosts' own run.
  await sleep(2 * TTL_MS);
  const { hosts } = cluster.cluster.network;
  const revision = watch.revision;
  const calls = await Promise.all([...hosts.keys()].map((host) => callsOf(cluster, host)));
  // Texts that nobody refers to any more, and notes of oneshots that have left, go within a minute of it.
  const changed = Array.from({ length: watch.revision - revision }, (_, index) => revision + 1 + index).filter(
    (at) => !watch.swept.has(at),
  );
  if (changed.length > 0) history.break(8, `at rest etcd went from revision ${revision} to ${watch.revision}`);
  for (const call of calls.flat()) {
    if (!READING.test(call.split(" ")[1] ?? ""))
      history.break(8, `at rest systemd was asked to change something: ${call}`);
  }
  history.add("rest", `a minute of quiet: ${calls.flat().length} D-Bus calls to systemd, all of them reading`);
}

/** Every call that a host's systemd gets over D-Bus within the minute: `h1 Method`. */
async function callsOf(cluster: TestCluster, host: number): Promise<string[]> {
  const match = "type='method_call',destination='org.freedesktop.systemd1'";
  const script = `timeout ${QUIET_MS / 1000} busctl monitor --json=short --match="$0"; [ $? = 124 ]`;
  const { stdout, code, stderr } = await cluster.cluster.network.exec(host, ["bash", "-c", script, match], {
    timeoutMs: 2 * QUIET_MS,
  });
  if (code !== 0) throw new Error(`h${host}: D-Bus could not be listened to: ${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { readonly type?: string; readonly member?: string })
    .filter(({ type }) => type === "method_call")
    .map(({ member }) => `h${host} ${member}`);
}
