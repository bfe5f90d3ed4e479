import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { EtcdServer } from "../../../../testbed/etcd-server.ts";
import type { Mirror } from "./mirror.ts";
import { Registry } from "./registry.ts";

/** What docs/backup.md says, on a real etcd. */

let server: EtcdServer;
let registry: Registry;
let stopping: AbortController;
let done: Promise<unknown>[];
let said: string[];

beforeEach(async () => {
  server = await EtcdServer.start();
  registry = Registry.open(server.config({ FLEET_ETCD_REQUEST_TIMEOUT: "1" }));
  stopping = new AbortController();
  done = [];
  said = [];
});
afterEach(async () => {
  stopping.abort();
  await Promise.all(done);
  registry.close();
  await server.stop();
});

const submit = (name: string, desiredState: "launched" | "inactive") =>
  registry.unitWriter().submit({
    kind: "set",
    name,
    options: [{ section: "Service", name: "ExecStart", value: "/bin/a" }],
    desiredState,
  });
/** The views of an API, an engine and an agent. */
const views = async (): Promise<readonly Mirror[]> => {
  const { keys } = registry;
  const mirrors = [keys.apiRanges(), keys.engineRanges(), keys.agentRanges("m1")].map((ranges) =>
    registry.mirror({ ranges, checkMs: 500, onTrouble: ({ code }) => said.push(code) }),
  );
  for (const mirror of mirrors) done.push(mirror.run(stopping.signal));
  await Promise.all(mirrors.map(({ ready }) => ready));
  return mirrors;
};
const unitsOf = (mirror: Mirror): string =>
  [...mirror.state.units].map(([name, { desiredState }]) => `${name} ${desiredState}`).join(", ");

it("views of an etcd that was restored show what the backup has, and go on with what comes then", async () => {
  const file = join(server.folder, "backup.db");
  await submit("a.service", "launched");
  server.snapshot(file);
  await submit("a.service", "inactive");
  await submit("b.service", "launched");
  const [api, engine] = await views();
  if (api === undefined || engine === undefined) return expect.unreachable();
  expect(unitsOf(api)).toBe("a.service inactive, b.service launched");
  await server.restore(file);
  for (const mirror of [api, engine])
    await expect.poll(() => unitsOf(mirror), { timeout: 20_000 }).toBe("a.service launched");
  await expect.poll(() => said.filter((code) => code === "restored").length).toBe(3);
  const { revision } = await submit("c.service", "launched");
  expect(await api.waitFor(registry.keys.unit("c.service"), revision, 5_000)).toBe(true);
  expect(said.filter((code) => code === "restored")).toHaveLength(3);
}, 60_000);

it("a restored etcd that is past the revision that was known is noticed by what its keys are", async () => {
  const file = join(server.folder, "backup.db");
  await submit("a.service", "launched");
  server.snapshot(file);
  await submit("a.service", "inactive");
  const [api] = await views();
  if (api === undefined) return expect.unreachable();
  const other = Registry.open(server.config());
  try {
    await server.restore(file);
    for (let count = 0; count < 5; count++)
      await other.etcd.txn([], [{ put: other.keys.unitFile(`f${count}`), value: "" }]);
  } finally {
    other.close();
  }
  await expect.poll(() => unitsOf(api), { timeout: 30_000 }).toBe("a.service launched");
}, 60_000);
