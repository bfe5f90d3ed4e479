import { Keys } from "@fleet/domain/cluster";
import { Registry } from "@fleet/registry";
import { afterEach, beforeEach } from "vitest";
import { FakeEtcd } from "./fake-etcd.ts";

/** A fake etcd with a registry in it, new for each test of a file. */
export interface FakeRegistry {
  readonly etcd: () => FakeEtcd;
  readonly registry: () => Registry;
  /** Aborted when the test is over, if the test has not done so before. */
  readonly stopping: () => AbortController;
}

/** To be called once at the top of a file of tests: it brings the hooks along. */
export function fakeRegistry(): FakeRegistry {
  let registry: Registry;
  let etcd: FakeEtcd;
  let stopping: AbortController;
  beforeEach(() => {
    stopping = new AbortController();
    etcd = new FakeEtcd();
    registry = new Registry(etcd, new Keys("/test/"));
  });
  afterEach(() => {
    stopping.abort();
    etcd.release();
    registry.close();
    etcd.store.close();
  });
  return { etcd: () => etcd, registry: () => registry, stopping: () => stopping };
}
