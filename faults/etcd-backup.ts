import { Registry } from "@fleet/registry";
import type { TestCluster } from "../testbed/test-cluster.ts";

/** Beside the ports of the members. */
const ASIDE = "12379";
const AHEAD_AT_A_TIME = 64;
/** How far past the old revision a bumped one is at least. */
const BUMP = 100;

/** Snapshots of a cluster's etcd, and restores of all of its members as docs/backup.md has it. */
export class EtcdBackup {
  readonly #cluster: TestCluster;
  readonly #folder: string;
  #count = 0;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#folder = `${cluster.cluster.network.folder}/backups`;
  }

  /** Takes a snapshot; returns its file, which only the network's own processes see. */
  async take(): Promise<string> {
    const { network, etcdURL } = this.#cluster.cluster;
    const file = `${this.#folder}/${this.#count++}.db`;
    await network.inside("mkdir", "-p", this.#folder);
    await this.#etcdctl(`--endpoints=${etcdURL}`, "snapshot", "save", file);
    return file;
  }

  /** Has every member, none of which may run, begin with what a snapshot has. They are not started. */
  async restore(file: string): Promise<void> {
    const { network, etcdURLs } = this.#cluster.cluster;
    const peers = etcdURLs.map((url) => url.replace(/2379$/, "2380"));
    const all = peers.map((peer, member) => `m${member}=${peer}`).join(",");
    for (const [member, peer] of peers.entries()) {
      const data = `${network.folder}/etcd${member}`;
      await network.inside("rm", "-rf", data);
      const identity = [`--name=m${member}`, `--initial-cluster=${all}`, `--initial-advertise-peer-urls=${peer}`];
      await this.#etcdctl("snapshot", "restore", file, `--data-dir=${data}`, ...identity);
    }
  }

  /**
   * A snapshot of the same keys at a revision past another one, everything before it compacted, as etcdutl makes it with
   * --bump-revision and --mark-compacted: etcd 3.4 has neither, so a server of its own is written to until it is there.
   */
  async bumped(file: string, past: number): Promise<string> {
    const { network } = this.#cluster.cluster;
    const data = `${this.#folder}/aside`;
    const result = `${this.#folder}/${this.#count++}.db`;
    const [client, peer] = [`http://${network.prefix}.2:${ASIDE}`, `http://${network.prefix}.2:12380`];
    await network.inside("rm", "-rf", data);
    const identity = ["--name=aside", `--initial-cluster=aside=${peer}`, `--initial-advertise-peer-urls=${peer}`];
    await this.#etcdctl("snapshot", "restore", file, `--data-dir=${data}`, ...identity);
    const urls = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${peer}`];
    network.spawnInside(["etcd", `--data-dir=${data}`, "--log-level=error", ...identity, ...urls]);
    const registry = Registry.open({ servers: [client], requestTimeoutMs: 3_000 });
    try {
      let revision = 0;
      await this.#cluster.until("the etcd aside to answer", async () => {
        revision = await registry.reachedRevision().catch(() => 0);
        return revision > 0;
      });
      const note = { put: `${registry.keys.prefix.slice(0, -1)}-ahead`, value: "" };
      for (let left = past + BUMP - revision; left > 0; left -= AHEAD_AT_A_TIME)
        await Promise.all(Array.from({ length: AHEAD_AT_A_TIME }, () => registry.etcd.txn([], [note])));
      revision = await registry.reachedRevision();
      await this.#etcdctl(`--endpoints=${client}`, "compact", String(revision));
      await this.#etcdctl(`--endpoints=${client}`, "snapshot", "save", result);
    } finally {
      registry.close();
      await network.inside("pkill", "-KILL", "-f", "--", "--name=aside ").catch(() => "");
    }
    return result;
  }

  async #etcdctl(...args: readonly string[]): Promise<void> {
    await this.#cluster.cluster.network.inside("env", "ETCDCTL_API=3", "etcdctl", ...args);
  }
}
