// npm run bench [-- NAME...]: measures what docs/benchmarks.md promises, each against a floor taken in the same run.
import { isBuilt } from "../deploy/local-cluster/cluster.ts";
import { apiBenches } from "./api-benches.ts";
import { clusterBenches } from "./cluster-benches.ts";
import { journalBenches } from "./journal-benches.ts";
import { loadBenches } from "./load-benches.ts";
import { placementBenches } from "./placement-benches.ts";
import { usageBenches } from "./usage-benches.ts";
import { watchBenches } from "./watch-benches.ts";

const GROUPS: readonly {
  readonly names: readonly string[];
  readonly run: (wanted: ReadonlySet<string>) => Promise<void>;
}[] = [
  { names: ["start-300", "start-1", "idle-writes", "idle-cpu", "memory"], run: clusterBenches },
  { names: ["cli-start", "api-units", "api-write"], run: apiBenches },
  { names: ["place-20k", "place-100k", "place-conflicts", "move-machine", "failover"], run: placementBenches },
  { names: ["wakeups", "api-100k"], run: watchBenches },
  { names: ["etcd-load"], run: loadBenches },
  { names: ["journal-first", "journal-rate", "journal-flood"], run: journalBenches },
  { names: ["top-100"], run: usageBenches },
];

const asked = process.argv.slice(2);
const known = GROUPS.flatMap(({ names }) => names);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`Error: there is no benchmark ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exit(1);
}
if (!isBuilt()) {
  console.error("Error: dist/bin is not built: run npm run dist first");
  process.exit(1);
}
const wanted = new Set(asked.length > 0 ? asked : known);
for (const { names, run } of GROUPS) if (names.some((name) => wanted.has(name))) await run(wanted);
process.exit(0);
