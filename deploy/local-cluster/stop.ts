// Ends the local cluster.
import { existsSync, rmdirSync } from "node:fs";
import { stopHolder } from "./network.ts";
import { until } from "./processes.ts";
import { NETWORK_NAME, readState, removeState } from "./state.ts";

const state = readState();
if (state === null) {
  console.log("The local cluster is not running.");
} else {
  await stopHolder(state.holderPID);
  await until(() => !existsSync(`/run/fleet-local/${NETWORK_NAME}`), 20_000, "the cluster to be gone");
  console.log("The local cluster is gone.");
}
removeState();
try {
  rmdirSync("/run/fleet-local");
} catch (error) {
  // Other networks, such as those of tests, may live there.
  if (!["ENOENT", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
}
