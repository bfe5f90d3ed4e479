import { ModelFeed } from "@fleet/domain/placement";
import { Leadership, Lease, type Mirror, type Registry } from "@fleet/registry";

/** A registry for each test of a file, on a real etcd (testRegistry) or a fake one (fakeRegistry). */
interface RegistryOfTest {
  readonly registry: () => Registry;
  readonly stopping: () => AbortController;
}

/** An engine's place in a registry. */
export interface Led {
  readonly mirror: Mirror;
  /** A model in step with the registry. */
  readonly feed: ModelFeed;
  readonly leadership: Leadership;
}

/** Takes the leadership over a test's registry as it is, for as long as the test runs. */
export async function lead({ registry, stopping }: RegistryOfTest, ttlMs: number): Promise<Led> {
  const { etcd, keys } = registry();
  const mirror = registry().mirror({ ranges: keys.engineRanges(), onTrouble: () => undefined });
  const feed = new ModelFeed(mirror.state);
  mirror.onChanges((changes) => feed.apply(changes));
  void mirror.run(stopping().signal);
  await mirror.ready;
  const lease = await Lease.grant({ etcd, ttlMs, onTrouble: () => undefined });
  const record = { machineID: "e", version: 2, startedAt: "" };
  const leadership = await Leadership.campaign(etcd, keys, lease, record, null);
  if (leadership === null) throw new Error("nobody else can lead here");
  return { mirror, feed, leadership };
}
