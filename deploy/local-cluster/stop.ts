// Ends the local cluster.
import { existsSync, rmdirSync } from "node:fs";
import { ROOT } from "./cluster.ts";
import { findHolder, stopHolder } from "./network.ts";
import { until } from "./processes.ts";
import { NETWORK_NAME, recall, removeState } from "./state.ts";

const remembered = recall();
// What can't be read says nothing of whether a cluster runs; its processes do.
const holderPID = remembered.kind === "running" ? remembered.state.holderPID : await findHolder(NETWORK_NAME);
if (holderPID === null) {
  console.log("The local cluster is not running.");
} else {
  await stopHolder(holderPID);
  await until(() => !existsSync(`/run/fleet-local/${NETWORK_NAME}`), 20_000, "the cluster to be gone");
  const isOthers = remembered.kind === "running" && remembered.state.root !== ROOT;
  console.log(`The local cluster${isOthers ? ` of another clone, ${remembered.state.root},` : ""} is gone.`);
}
removeState();
try {
  rmdirSync("/run/fleet-local");
} catch (error) {
  // Other networks, such as those of tests, may live there.
  if (!["ENOENT", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
}
