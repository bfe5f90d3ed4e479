import { Leadership, Lease, type Mirror, Registry } from "@fleet/registry";
import { ModelFeed } from "@fleet/registry/placement";
import { EtcdServer } from "@fleet/registry/testing";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

/** A real etcd for a file of tests, with a registry of its own for each of them. */
export interface LedRegistry {
  readonly server: () => EtcdServer;
  readonly registry: () => Registry;
  /** Aborted when the test is over. */
  readonly signal: () => AbortSignal;
  /** A model in step with the registry, and the leadership over it. */
  readonly lead: (ttlMs: number) => Promise<{ mirror: Mirror; feed: ModelFeed; leadership: Leadership }>;
}

/** To be called once at the top of a file of tests: it brings the hooks along. */
export function ledRegistry(name: string): LedRegistry {
  let server: EtcdServer;
  let registry: Registry;
  let stopping: AbortController;
  let count = 0;
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    stopping = new AbortController();
    registry = Registry.open(server.config({ FLEET_ETCD_KEY_PREFIX: `/${name}-${process.pid}-${count++}/` }));
  });
  afterEach(() => {
    stopping.abort();
    registry.close();
  });
  return {
    server: () => server,
    registry: () => registry,
    signal: () => stopping.signal,
    lead: async (ttlMs) => {
      const { etcd, keys } = registry;
      const mirror = registry.mirror({ ranges: keys.engineRanges(), onTrouble: () => undefined });
      const feed = new ModelFeed(mirror.state);
      mirror.onChanges((changes) => feed.apply(changes));
      void mirror.run(stopping.signal);
      await mirror.ready;
      const lease = await Lease.grant({ etcd, ttlMs, onTrouble: () => undefined });
      const record = { machineID: "e", version: 2, startedAt: "" };
      const leadership = await Leadership.campaign(etcd, keys, lease, record, null);
      if (leadership === null) throw new Error("nobody else can lead here");
      return { mirror, feed, leadership };
    },
  };
}
