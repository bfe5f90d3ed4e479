import { Registry } from "@fleet/registry";
import { afterEach, expect, it } from "vitest";
import { EtcdBackup } from "../faults/etcd-backup.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

// docs/backup.md, on hosts: what becomes of units when etcd is restored from a snapshot.
let cluster: TestCluster;
afterEach(() => cluster?.stop());

const on = (index: number, ...command: string[]): Promise<string> => cluster.cluster.network.must(index, ...command);
const unit = (name: string, host: number, more = ""): string =>
  cluster.file(name, `${SLEEP}${more}[X-Fleet]\nMachineMetadata=host=h${host}\n`);
const run = (name: string): Promise<string> => cluster.show(3, name, "InvocationID");
/** What the API says of a unit on its machines. */
const states = async (name: string): Promise<readonly { unknown?: boolean; systemdActiveState?: string }[]> => {
  const { status, text } = await cluster.api.send("GET", `/state?unitName=${name}`);
  return status === 200 ? ((JSON.parse(text) as { states?: [] }).states ?? []) : [];
};
const isUnknown = async (name: string): Promise<boolean> => (await states(name))[0]?.unknown === true;

it.each([
  ["without a bump of its revision", false],
  ["with a bump of its revision", true],
])("etcd restored from a backup %s stops nothing that is newer, and has the rest as it was", async (_how, isBumped) => {
  cluster = await TestCluster.start([{ engine: true }, { api: true }, { agent: true }]);
  await cluster.ok("start", unit("old.service", 3), unit("gone.service", 3));
  await cluster.ok("start", unit("changed.service", 3));
  const backup = new EtcdBackup(cluster);
  const file = await backup.take();
  await cluster.ok("destroy", "gone.service");
  unit("changed.service", 3, "Environment=A=new\n");
  await cluster.ok("start", "--replace", `${cluster.folder}/changed.service`);
  await cluster.ok("start", unit("new.service", 3), unit("kept.service", 3));
  const ran = await Promise.all(["old.service", "new.service", "kept.service"].map(run));

  const registry = Registry.open({ servers: [cluster.cluster.etcdURL] });
  const revision = await registry.reachedRevision().finally(() => registry.close());
  await cluster.cluster.killEtcd();
  await backup.restore(isBumped ? await backup.bumped(file, revision) : file);
  await cluster.cluster.startEtcd();
  await cluster.until(
    "the machine to say what is unknown",
    async () => (await Promise.all(["new.service", "kept.service"].map(isUnknown))).every(Boolean),
    120_000,
  );
  await cluster.until(
    "what was destroyed to be back",
    async () => (await cluster.activeOn("gone.service")).length === 1,
  );
  await cluster.until(
    "the old version to be back",
    async () => (await cluster.show(3, "changed.service", "Environment")) === "",
  );
  expect(await Promise.all(["old.service", "new.service", "kept.service"].map(run))).toEqual(ran);
  expect(await isUnknown("old.service")).toBe(false);

  await on(3, "systemctl", "restart", "fleet-agent");
  await cluster.until("the agent to be back", async () => isUnknown("new.service"));
  expect(await Promise.all(["old.service", "new.service", "kept.service"].map(run))).toEqual(ran);

  await cluster.ok("start", `${cluster.folder}/kept.service`);
  expect([await isUnknown("kept.service"), await run("kept.service")]).toEqual([false, ran[2]]);
  await cluster.ok("destroy", "new.service");
  await cluster.until("it to be taken away", async () => (await cluster.activeOn("new.service")).length === 0);
  await cluster.until("its state to go", async () => (await states("new.service")).length === 0);
  expect(await cluster.activeOn("kept.service")).toEqual([3]);
});
