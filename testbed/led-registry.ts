import { ModelFeed } from "@fleet/domain/placement";
import { Leadership, Lease, type Mirror } from "@fleet/registry";
import { type TestRegistry, testRegistry } from "./test-registry.ts";

/** A registry for each test of a file, and an engine's place in it. */
export interface LedRegistry extends TestRegistry {
  /** A model in step with the registry, and the leadership over it. */
  readonly lead: (ttlMs: number) => Promise<{ mirror: Mirror; feed: ModelFeed; leadership: Leadership }>;
}

/** To be called once at the top of a file of tests: it brings the hooks along. */
export function ledRegistry(name: string): LedRegistry {
  const test = testRegistry(name);
  const lead: LedRegistry["lead"] = async (ttlMs) => {
    const registry = test.registry();
    const { etcd, keys } = registry;
    const mirror = registry.mirror({ ranges: keys.engineRanges(), onTrouble: () => undefined });
    const feed = new ModelFeed(mirror.state);
    mirror.onChanges((changes) => feed.apply(changes));
    void mirror.run(test.stopping().signal);
    await mirror.ready;
    const lease = await Lease.grant({ etcd, ttlMs, onTrouble: () => undefined });
    const record = { machineID: "e", version: 2, startedAt: "" };
    const leadership = await Leadership.campaign(etcd, keys, lease, record, null);
    if (leadership === null) throw new Error("nobody else can lead here");
    return { mirror, feed, leadership };
  };
  return { ...test, lead };
}
