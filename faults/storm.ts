import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "@fleet/registry";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { copiesOf } from "../testbed/partition.ts";
import { SeededRandom } from "../testbed/seeded-random.ts";
import { TestCluster } from "../testbed/test-cluster.ts";
import { Consistency } from "./consistency.ts";
import { EtcdBackup } from "./etcd-backup.ts";
import { FAULTS } from "./faults.ts";
import { type Broken, History } from "./history.ts";
import { look, type Seen } from "./host-units.ts";
import { JournalReaders } from "./journal-readers.ts";
import { NewerVersion } from "./newer-version.ts";
import { quiet } from "./quiet.ts";
import { RegistryWatch } from "./registry-watch.ts";
import { ENOUGH, grown, sayUses, type Uses, uses } from "./resources.ts";
import { collateral, deposedWrites, differences, leftovers, waiting } from "./rest.ts";
import { type StormOutcome, summary } from "./summary.ts";
import { ENVIRONMENT, LEADING, TTL_MS } from "./target.ts";
import { ALONE_NAMES, NAMES, Traffic, unfit } from "./traffic.ts";

/** Beyond this time after the last fault it counts as broken: this machine is shared, and a moment's load is no fault of fleet's. */
const LIMIT_MS = 60_000;
const ROUND_MS = 40_000;
/** Readers of journals have APIs ask agents over it. */
const LINK = "link_listen=0.0.0.0:49160";

/** What a storm is made of. */
export interface StormOptions {
  /** The same seed gives the same choices. */
  readonly seed: number;
  readonly minutes: number;
  /** Names of faults to choose from; empty: users only. */
  readonly faults: readonly string[];
  /** The executable that the second and the fourth host run. */
  readonly otherFleetd: string;
}

/**
 * Traffic and faults, round after round, each ended by a rest at which everything is checked. Prints how it went.
 *
 * @returns whether every invariant held
 */
export async function storm(options: StormOptions): Promise<boolean> {
  const run = await Storm.start(options);
  const outcome = await run.run();
  for (const line of summary(outcome)) console.log(line);
  return outcome.history.broken.length === 0;
}

class Storm {
  readonly #options: StormOptions;
  readonly #cluster: TestCluster;
  readonly #history: History;
  readonly #random: SeededRandom;
  readonly #registry: Registry;
  readonly #watch: RegistryWatch;
  readonly #traffic: Traffic;
  readonly #consistency = new Consistency();
  readonly #readers: JournalReaders;
  readonly #newer: NewerVersion;
  readonly #backup: EtcdBackup;
  /** Snapshots that were taken, oldest first. */
  readonly #kept: string[] = [];
  readonly #startedAt = performance.now();
  readonly #endsAt: number;
  /** Units that a fault has stopped or started by hand; `*@N`: all of host N. */
  readonly #disturbed = new Set<string>();
  /** How often each fault was done. */
  readonly #counts = new Map<string, number>();
  readonly #samples: Uses[] = [];
  #slowestMs = 0;
  #rounds = 0;
  /** What the hosts' systemds said at the last rest, and how many changes of placements had been seen. */
  #seen: Seen = new Map();
  #changes = 0;

  private constructor(options: StormOptions, history: History, random: SeededRandom, cluster: TestCluster) {
    const { network, etcdURLs } = cluster.cluster;
    this.#options = options;
    this.#endsAt = this.#startedAt + options.minutes * 60_000;
    this.#history = history;
    this.#random = random;
    this.#cluster = cluster;
    this.#backup = new EtcdBackup(cluster);
    this.#registry = Registry.open({ servers: [...etcdURLs], requestTimeoutMs: 3_000 });
    this.#watch = new RegistryWatch(this.#registry.etcd, this.#registry.keys, history, this.#consistency, unfit);
    this.#watch.start();
    const endpoints = LEADING.map((host) => cluster.cluster.endpoint(host));
    this.#readers = new JournalReaders(endpoints, history);
    this.#readers.start();
    this.#newer = new NewerVersion(this.#registry, new SeededRandom(options.seed + 1), history);
    this.#traffic = new Traffic(
      endpoints,
      () => [...network.hosts.values()].map(({ machineID }) => machineID),
      random,
      history,
      this.#consistency,
    );
  }

  static async start(options: StormOptions): Promise<Storm> {
    const history = new History(join(ROOT, "reports", `faults-${options.seed}.jsonl`));
    const random = new SeededRandom(options.seed);
    const files = Object.fromEntries(
      ["fleet-agent", "fleet-engine", "fleet-api"].map((unit) => [
        `/etc/systemd/system/${unit}.service.d/faults.conf`,
        `[Service]\nEnvironmentFile=-${ENVIRONMENT}\n`,
      ]),
    );
    const leading = { agent: true, engine: true, api: true, files, config: LINK };
    const fleetd = options.otherFleetd;
    const cluster = await TestCluster.start(
      [leading, { ...leading, fleetd }, { agent: true, files }, { agent: true, files, fleetd }],
      `agent_ttl=${TTL_MS}ms`,
      3,
    );
    return new Storm(options, history, random, cluster);
  }

  /** Goes on until its time is over or an invariant is broken, and stops the cluster. */
  async run(): Promise<StormOutcome> {
    const history = this.#history;
    try {
      while (performance.now() < this.#endsAt && history.broken.length === 0) {
        await this.#disturb();
        await this.#rest();
      }
      for (const text of grown(this.#samples)) history.break(11, text);
      for (const text of await this.#twice()) history.break(1, text);
      if (this.#samples.length < ENOUGH)
        console.log(`invariant 11 was not looked at: ${this.#samples.length} rests, ${ENOUGH} wanted`);
      if (history.broken.length === 0) await quiet(this.#cluster, this.#watch, history);
    } catch (error) {
      history.break(0, `the bench itself failed: ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      await this.#readers.stop();
      await dump(this.#cluster, history);
      await this.#watch.stop();
      this.#registry.close();
      this.#traffic.close();
      await this.#cluster.stop();
    }
    return {
      seed: this.#options.seed,
      history,
      counts: this.#counts,
      samples: this.#samples,
      slowestMs: this.#slowestMs,
      rounds: this.#rounds,
      tookMs: performance.now() - this.#startedAt,
    };
  }

  /** Invariant 1: runs at the same time of units that must not run twice, by the journals of all hosts since they booted. */
  async #twice(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const name of ALONE_NAMES) {
      const { runs, overlapping } = await copiesOf(this.#cluster, name);
      this.#history.add("rest", `${name} has run ${runs.length} times`);
      for (const pair of overlapping) problems.push(`${name} ran twice at once: ${JSON.stringify(pair)}`);
    }
    return problems;
  }

  /** Users and faults side by side, until the round is over. */
  async #disturb(): Promise<void> {
    const roundEndsAt = Math.min(this.#endsAt, performance.now() + ROUND_MS);
    const isOver = (): boolean => performance.now() >= roundEndsAt || this.#history.broken.length > 0;
    this.#traffic.changed.clear();
    this.#disturbed.clear();
    const users = async (): Promise<void> => {
      while (!isOver()) {
        await this.#traffic.act();
        await sleep(this.#random.between(10, 400));
      }
    };
    const harm = async (): Promise<void> => {
      while (!isOver() && this.#options.faults.length > 0) {
        await this.#fault(this.#random.pick(this.#options.faults));
        await sleep(this.#random.between(200, 2_500));
      }
    };
    const newer = this.#options.faults.length > 0 ? this.#newer.run(isOver) : Promise.resolve();
    await Promise.all([users(), this.#traffic.read(isOver), harm(), newer]);
    await this.#traffic.uncordon();
  }

  async #fault(name: string): Promise<void> {
    const history = this.#history;
    history.add("fault", name);
    const text = await FAULTS[name]?.({
      cluster: this.#cluster,
      random: this.#random,
      history,
      registry: this.#registry,
      traffic: this.#traffic,
      watch: this.#watch,
      backup: this.#backup,
      kept: this.#kept,
      disturbed: this.#disturbed,
    });
    history.add("fault", `over: ${text}`);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Waits until all is as promised, and checks what must hold of the round that is over. */
  async #rest(): Promise<void> {
    const history = this.#history;
    const settled = await this.#settle();
    const { placements, reigns } = this.#watch.view;
    const reasons = {
      changed: this.#traffic.changed,
      disturbed: this.#disturbed,
      placements,
      since: this.#changes,
    };
    for (const text of collateral(this.#seen, settled, reasons)) history.break(2, text);
    await this.#watch.caughtUp();
    for (const text of this.#consistency.check()) history.break(12, text);
    for (const text of await this.#newer.problems()) history.break(14, text);
    for (const name of ALONE_NAMES)
      if (this.#traffic.expected.get(name)?.state === "launched") await this.#readers.allHear(name);
    for (const text of await deposedWrites(this.#cluster, reigns, this.#watch.restoredAt)) history.break(7, text);
    for (const [host, units] of settled) {
      const said = [...units].map(([name, unit]) => `${name} ${unit.active} ${unit.invocation}`);
      history.append("rest", `h${host}: ${said.join(", ")}`);
    }
    this.#seen = settled;
    this.#changes = this.#watch.view.changes;
    this.#rounds++;
    const use = await uses(this.#cluster);
    this.#samples.push(use);
    const faults = [...this.#counts.values()].reduce((a, b) => a + b, 0);
    const done = `round ${this.#rounds}: ${this.#consistency.checked} calls checked, ${faults} faults, revision ${this.#watch.revision}`;
    history.add("rest", `${done}; ${sayUses(use)}`);
    console.log(done);
  }

  /**
   * Waits until all is as the users were promised, and nothing is left of what is gone (invariants 4, 6 and 9); returns what
   * the hosts' systemds say then.
   */
  async #settle(): Promise<Seen> {
    const startedAt = performance.now();
    for (;;) {
      const seen = await look(this.#cluster, NAMES);
      const problems = await this.#problems(seen);
      const tookMs = performance.now() - startedAt;
      if (problems.length === 0) {
        this.#slowestMs = Math.max(this.#slowestMs, tookMs);
        this.#history.add("rest", `all as promised after ${Math.round(tookMs)} ms`);
        return seen;
      }
      if (tookMs > LIMIT_MS) {
        for (const { invariant, text } of problems) this.#history.break(invariant, text);
        return seen;
      }
      await sleep(200);
    }
  }

  async #problems(seen: Seen): Promise<readonly Broken[]> {
    const of = (invariant: number) => (text: string) => ({ invariant, text });
    try {
      return [
        ...(await differences(this.#cluster, this.#traffic, seen)).map(of(4)),
        ...(await waiting(this.#traffic)).map(of(5)),
        ...(await leftovers(this.#cluster, this.#traffic)).map(of(6)),
      ];
    } catch (error) {
      return [of(4)(String(error))];
    }
  }
}

/** What the hosts' journals say, beside the history. */
async function dump({ cluster }: TestCluster, history: History): Promise<void> {
  for (const host of cluster.network.hosts.keys()) {
    const { stdout } = await cluster.network.exec(host, ["journalctl", "--no-pager", "-o", "short-precise"]);
    for (const line of stdout.split("\n")) history.append("host", `h${host} ${line}`);
  }
}
