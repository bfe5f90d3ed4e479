// Starts the local cluster, runs the example units on it and shows them; where it runs already, only shows them.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { BIN, LocalCluster, ROOT } from "./cluster.ts";
import { findHolder, stopHolder } from "./network.ts";
import { NETWORK_NAME, recall, removeState, STATE, writeState } from "./state.ts";

const UNITS = join(ROOT, "examples/units");

/** Runs fleetctl as a user would, its output shown; returns its exit code. */
function fleetctl(endpoint: string, ...args: readonly string[]): number {
  console.log(`\n$ fleetctl ${args.join(" ")}`);
  const { status } = spawnSync(join(BIN, "fleetctl"), args, {
    cwd: UNITS,
    env: { ...process.env, FLEETCTL_ENDPOINT: endpoint },
    stdio: "inherit",
    timeout: 120_000,
  });
  return status ?? 1;
}

function show(endpoint: string): void {
  fleetctl(endpoint, "list-machines");
  fleetctl(endpoint, "list-units");
  console.log(`
The cluster stays up. Try next:

  export FLEETCTL_ENDPOINT=${endpoint}
  dist/bin/fleetctl list-unit-files
  dist/bin/fleetctl start examples/units/web@4.service   # waits: three machines hold three web servers; end it with Ctrl-C
  dist/bin/fleetctl destroy web@3                         # in another terminal: now there is room
  dist/bin/fleetctl status hello                          # journal, status and top need no SSH here: their agents answer the API
  dist/bin/fleetctl journal -f 'web@*'
  dist/bin/fleetctl top
  dist/bin/fleetctl help

Without the export, "npm run -s fleetctl -- list-units" talks to it too.
"npm stop" takes all of it away.`);
}

function refuse(why: string): never {
  console.error(`Error: ${why}`);
  process.exit(1);
}

const remembered = recall();
if (remembered.kind === "broken" && (await findHolder(NETWORK_NAME)) !== null)
  refuse(`a local cluster runs, and ${STATE} can't be read: run npm stop, and then npm start.`);
if (remembered.kind === "running") {
  const { endpoint } = remembered.state;
  if (endpoint === "")
    refuse("another npm start is booting the cluster, or was killed while it did: wait for it, or run npm stop.");
  console.log("The local cluster is running already.");
  show(endpoint);
  process.exit(0);
}
try {
  const cluster = await LocalCluster.start({
    name: NETWORK_NAME,
    isDetached: true,
    hosts: [
      { agent: true, engine: true, api: true, config: "link_listen=0.0.0.0:49154" },
      { agent: true, engine: true },
      { agent: true },
    ],
    onStep: (step) => console.log(`  ${step}`),
    onNetwork: (network) => {
      // Whoever gives up while it boots leaves nothing behind: this process when it is asked to end, npm stop otherwise.
      writeState({ holderPID: network.holderPID, endpoint: "", etcd: "" });
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        process.once(signal, () => {
          console.error("\nGiving up; taking away what was started.");
          void stopHolder(network.holderPID).finally(() => {
            removeState();
            process.exit(1);
          });
        });
      }
    },
  });
  const endpoint = cluster.endpoint();
  writeState({ holderPID: cluster.network.holderPID, endpoint, etcd: cluster.etcdURL });
  const files = globSync("*.service", { cwd: UNITS }).sort();
  const code =
    fleetctl(endpoint, "submit", ...files) ||
    fleetctl(endpoint, "start", ...files.filter((file) => !file.includes("@")), "web@1", "web@2", "web@3");
  show(endpoint);
  process.exit(code);
} catch (error) {
  removeState();
  console.error(
    `Error: the local cluster could not be started: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exit(1);
}
