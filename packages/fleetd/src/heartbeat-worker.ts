// The thread that keeps the machine's lease alive: heartbeat-thread.ts starts it.
import { parentPort, workerData } from "node:worker_threads";
import type { EtcdConfig } from "@fleet/config";
import { RegistryError } from "@fleet/domain/cluster";
import { Etcd3Client } from "@fleet/registry";
import type { HeartbeatAnswer, HeartbeatRequest } from "./heartbeat-thread.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

/** A loop that is held up for longer is restarted by systemd: WatchdogSec= of the daemon's unit. */
const MOST_HELD_MS = 120_000;

const etcd = new Etcd3Client(workerData as EtcdConfig);
const keeper = new LeaseKeeper((id) => etcd.keepLeaseAlive(id), MOST_HELD_MS);

parentPort?.on("message", (request: HeartbeatRequest) => {
  if (request.kind === "drop") keeper.drop(request.id);
  else void answer(request);
});

async function answer({ number, id, ttlMs }: HeartbeatRequest & { readonly kind: "keep" }): Promise<void> {
  let said: HeartbeatAnswer;
  try {
    said = { number, remaining: await keeper.keepAlive(id, ttlMs) };
  } catch (error) {
    // Anything else ends the thread, and the daemon keeps its lease alive by itself.
    if (!(error instanceof RegistryError)) throw error;
    said = { number, code: error.code, message: error.message };
  }
  parentPort?.postMessage(said);
}
