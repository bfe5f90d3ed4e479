// npm run test:faults -- [--seed N] [--minutes M] [--fault NAME] [--calm] [--cuts N] [--other FLEETD]
// --other: the executable of another version for two of the hosts; by default this one under another number
// Random traffic and random faults on real hosts, and what must hold all the while: docs/reliability.md.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BIN, ROOT } from "../deploy/local-cluster/cluster.ts";
import { Registry } from "../packages/registry/src/index.ts";
import { Dice } from "../testbed/dice.ts";
import { CUTS, copiesOf, cutOnce, STUBBORN } from "../testbed/partition.ts";
import { TestCluster } from "../testbed/test-cluster.ts";
import { FAULTS } from "./faults.ts";
import { History } from "./history.ts";
import { quiet } from "./quiet.ts";
import { RegistryWatch } from "./registry-watch.ts";
import { ENOUGH, grown, sayUses, type Uses, uses } from "./resources.ts";
import { collateral, deposedWrites, differences, leftovers, look, type Seen, waiting } from "./rest.ts";
import { ENVIRONMENT, TTL_MS } from "./target.ts";
import { Traffic, unfit } from "./traffic.ts";

/** Within this time after the last fault everything is to be as promised (invariant 4). */
const GOAL_MS = TTL_MS + 10_000;
/** Beyond this it counts as broken: this machine is shared, and a moment's load is no fault of fleet's. */
const LIMIT_MS = 60_000;
const ROUND_MS = 40_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "10" },
    fault: { type: "string", multiple: true },
    cuts: { type: "string" },
    calm: { type: "boolean", default: false },
    other: { type: "string" },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
const chosen = values.fault ?? Object.keys(FAULTS);
for (const name of chosen) {
  if (FAULTS[name] !== undefined) continue;
  console.error(`Error: there is no fault "${name}". There are: ${Object.keys(FAULTS).join(", ")}`);
  process.exit(2);
}
if (!Number.isInteger(seed) || !(minutes > 0)) {
  console.error("Error: --seed wants a whole number, --minutes a number greater than 0");
  process.exit(2);
}
process.exitCode = values.cuts === undefined ? await storm() : await partitions(Number(values.cuts));

/** Traffic and faults, round after round, each ended by a rest at which everything is checked. */
async function storm(): Promise<number> {
  const history = new History(join(ROOT, "reports", `faults-${seed}.jsonl`));
  const random = new Dice(seed);
  const files = Object.fromEntries(
    ["fleet-agent", "fleet-engine", "fleet-api"].map((unit) => [
      `/etc/systemd/system/${unit}.service.d/faults.conf`,
      `[Service]\nEnvironmentFile=-${ENVIRONMENT}\n`,
    ]),
  );
  const lead = { agent: true, engine: true, api: true, files };
  const fleetd = values.other ?? otherVersion();
  const cluster = await TestCluster.start(
    [lead, { ...lead, fleetd }, { agent: true, files }, { agent: true, files, fleetd }],
    `agent_ttl=${TTL_MS}ms`,
    3,
  );
  const { network, etcdURLs } = cluster.cluster;
  const registry = Registry.open({ servers: [...etcdURLs], requestTimeoutMs: 3_000 });
  const watch = new RegistryWatch(registry.etcd, registry.keys, history, unfit);
  watch.start();
  const machines = (): string[] => [...network.hosts.values()].map(({ machineID }) => machineID);
  const traffic = new Traffic(
    [1, 2].map((host) => cluster.cluster.endpoint(host)),
    machines,
    random,
    history,
  );
  const disturbed = new Set<string>();
  const counts = new Map<string, number>();
  const slowest = { ms: 0 };
  const startedAt = performance.now();
  const endsAt = startedAt + minutes * 60_000;
  let seen: Seen = new Map();
  let revision = 0;
  const samples: Uses[] = [];
  let rounds = 0;
  try {
    while (performance.now() < endsAt && history.broken.length === 0) {
      const roundEndsAt = Math.min(endsAt, performance.now() + ROUND_MS);
      const isOver = (): boolean => performance.now() >= roundEndsAt || history.broken.length > 0;
      traffic.changed.clear();
      disturbed.clear();
      const users = (async () => {
        while (!isOver()) {
          await traffic.act();
          await sleep(random.between(10, 400));
        }
      })();
      const harm = (async () => {
        while (!isOver() && !values.calm) {
          const name = random.pick(chosen);
          history.add("fault", name);
          const text = await FAULTS[name]?.({ cluster, random, history, registry, traffic, disturbed });
          history.add("fault", `over: ${text}`);
          counts.set(name, (counts.get(name) ?? 0) + 1);
          await sleep(random.between(200, 2_500));
        }
      })();
      await Promise.all([users, harm]);
      await traffic.uncordon();
      const settled = await settle(cluster, traffic, history, slowest);
      const from = revision;
      const excused = (name: string, host: number): boolean =>
        traffic.changed.has(name) ||
        disturbed.has(name) ||
        disturbed.has(`*@${host}`) ||
        (watch.placements.get(name) ?? []).some((placement) => placement.revision > from);
      for (const text of collateral(seen, settled, excused)) history.break(2, text);
      for (const text of await leftovers(cluster, traffic)) history.break(6, text);
      for (const text of await deposedWrites(cluster, watch)) history.break(7, text);
      for (const [host, units] of settled) {
        history.append(
          "rest",
          `h${host}: ${[...units].map(([name, unit]) => `${name} ${unit.active} ${unit.invocation}`).join(", ")}`,
        );
      }
      seen = settled;
      revision = watch.revision;
      rounds++;
      const use = await uses(cluster);
      samples.push(use);
      const done = `round ${rounds}: ${traffic.calls} calls, ${[...counts.values()].reduce((a, b) => a + b, 0)} faults, revision ${revision}`;
      history.add("rest", `${done}; ${sayUses(use)}`);
      console.log(done);
    }
    for (const text of grown(samples)) history.break(11, text);
    if (samples.length < ENOUGH)
      console.log(`invariant 11 was not looked at: ${samples.length} rests, ${ENOUGH} wanted`);
    if (history.broken.length === 0) await quiet(cluster, watch, history);
  } catch (error) {
    history.break(0, `the bench itself failed: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    await dump(cluster, history);
    await watch.stop();
    registry.close();
    traffic.close();
    await cluster.stop();
  }
  console.log(`faults: ${JSON.stringify(Object.fromEntries([...counts].sort()))}`);
  console.log(
    `all as promised no later than ${(slowest.ms / 1000).toFixed(1)} s after the last fault (goal ${GOAL_MS / 1000} s)`,
  );
  for (const [when, use] of [
    ["first", samples[0]],
    ["last", samples.at(-1)],
  ] as const) {
    if (use !== undefined) console.log(`${when} rest: ${sayUses(use)}`);
  }
  const [first] = history.broken;
  if (first === undefined) {
    console.log(
      `seed ${seed}: ${rounds} rounds, ${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes, every invariant held`,
    );
    return 0;
  }
  for (const { at, kind, text } of history.entries.slice(-60)) console.log(`${(at / 1000).toFixed(1)} ${kind} ${text}`);
  console.log(
    `seed ${seed}: invariant ${first.invariant} is broken: ${first.text}\nThe whole history is in ${history.file}`,
  );
  return 1;
}

/** Builds fleetd under another version's number, where that was not done since the last build; returns its path. */
function otherVersion(): string {
  const folder = join(ROOT, "dist/older");
  const path = join(folder, "bin/fleetd");
  const builtAt = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (
    builtAt(path) <= builtAt(join(ROOT, "packages/fleetd/dist/daemon.js")) ||
    builtAt(path) <= builtAt(join(BIN, "fleetd"))
  ) {
    execFileSync(process.execPath, [join(ROOT, "scripts/dist.ts"), "--version", "1.9.9", "--out", folder]);
  }
  return path;
}

/** Waits until all is as the users were promised (invariants 4 and 9). */
async function settle(
  cluster: TestCluster,
  traffic: Traffic,
  history: History,
  slowest: { ms: number },
): Promise<Seen> {
  const startedAt = performance.now();
  for (;;) {
    let problems: readonly string[];
    const seen = await look(cluster);
    try {
      problems = [...(await differences(cluster, traffic, seen)), ...(await waiting(traffic))];
    } catch (error) {
      problems = [String(error)];
    }
    const tookMs = performance.now() - startedAt;
    if (problems.length === 0) {
      slowest.ms = Math.max(slowest.ms, tookMs);
      history.add("rest", `all as promised after ${Math.round(tookMs)} ms`);
      return seen;
    }
    if (tookMs > LIMIT_MS) {
      for (const problem of problems) history.break(problem.includes(" waits, ") ? 5 : 4, problem);
      return seen;
    }
    await sleep(200);
  }
}

/** What the hosts' journals say, beside the history. */
async function dump(cluster: TestCluster, history: History): Promise<void> {
  for (const host of cluster.cluster.network.hosts.keys()) {
    const { stdout } = await cluster.cluster.network.exec(host, ["journalctl", "--no-pager", "-o", "short-precise"]);
    for (const line of stdout.split("\n")) history.append("host", `h${host} ${line}`);
  }
}

/** OnPartition=stop: cuts, one after the other, and the hosts' journals as witnesses. */
async function partitions(cuts: number): Promise<number> {
  const random = new Dice(seed);
  const cluster = await TestCluster.start(
    [{ engine: true, api: true }, { agent: true }, { agent: true }],
    "agent_ttl=3s",
  );
  try {
    await cluster.ok("start", cluster.file("alone.service", STUBBORN));
    const counts = new Map<string, number>();
    for (let count = 1; count <= cuts; count++) {
      const cut = random.pick(CUTS);
      counts.set(cut, (counts.get(cut) ?? 0) + 1);
      await cutOnce(cluster, "alone.service", cut);
      if (count % 10 === 0) console.log(`${count} cuts`);
    }
    const { runs, overlapping } = await copiesOf(cluster, "alone.service");
    console.log(
      `${cuts} cuts (${JSON.stringify(Object.fromEntries(counts))}), ${runs.length} runs of the unit, ${overlapping.length} pairs at the same time`,
    );
    for (const pair of overlapping) console.log(JSON.stringify(pair));
    for (const host of [2, 3])
      await cluster.cluster.network.exec(host, ["systemctl", "kill", "-s", "KILL", "alone.service"]);
    return overlapping.length === 0 && runs.length > cuts ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}
