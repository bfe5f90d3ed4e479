// Lists the machines and units of a cluster, then follows changes until it is ended. Uses nothing but the registry library.
//   FLEET_ETCD_SERVERS=http://127.0.0.1:2379 node examples/registry-client [--once]
import { machineOf, Registry, unitOf, unitStatesOf } from "@fleet/registry";

const servers = (process.env.FLEET_ETCD_SERVERS ?? "http://127.0.0.1:2379").split(",");
const registry = Registry.open({ servers });
const stopping = new AbortController();
const mirror = registry.mirror({ onTrouble: (error) => console.error(`trying again: ${error.message}`) });
const done = mirror.run(stopping.signal);
await mirror.ready;

const { state } = mirror;
for (const id of [...state.machines.keys()].sort()) console.log("machine", JSON.stringify(machineOf(state, id)));
for (const name of [...state.units.keys()].sort()) {
  console.log("unit", JSON.stringify(unitOf(state, name)));
  for (const { machineID, systemd } of unitStatesOf(state, name))
    console.log("  on", machineID, systemd.active, systemd.sub);
}

if (process.argv.includes("--once")) stopping.abort();
else {
  mirror.onChanges((changes, revision) => {
    for (const change of changes) {
      if (change.kind === "unit") console.log(revision, "unit", change.name, change.after?.desiredState ?? "destroyed");
      if (change.kind === "state")
        console.log(revision, "state", change.name, change.machineID, change.after?.systemd.active ?? "gone");
      if (change.kind === "machine")
        console.log(revision, "machine", change.id, change.after === null ? "left" : "joined");
    }
  });
  process.once("SIGINT", () => stopping.abort());
}
await done;
registry.close();
