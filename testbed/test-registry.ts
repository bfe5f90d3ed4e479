import { Registry } from "@fleet/registry";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { EtcdServer } from "./etcd-server.ts";

/** A real etcd for a file of tests, with a registry of its own for each of them. */
export interface TestRegistry {
  readonly server: () => EtcdServer;
  readonly registry: () => Registry;
  /** Aborted when the test is over, if the test has not done so before. */
  readonly stopping: () => AbortController;
}

/** To be called once at the top of a file of tests: it brings the hooks along. */
export function testRegistry(name: string): TestRegistry {
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
  return { server: () => server, registry: () => registry, stopping: () => stopping };
}
