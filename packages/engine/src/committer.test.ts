import { encodeMachine, encodeUnit, Leadership, Lease, machineOf, Registry } from "@fleet/registry";
import { ModelFeed } from "@fleet/registry/placement";
import { EtcdServer } from "@fleet/registry/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Committer } from "./committer.ts";
import { type Decision, plan } from "./model/plan.ts";

let server: EtcdServer;
let registry: Registry;
let count = 0;
let stopping: AbortController;
beforeAll(async () => {
  server = await EtcdServer.start();
});
afterAll(() => server?.stop());
beforeEach(() => {
  stopping = new AbortController();
  registry = Registry.open(server.config({ FLEET_ETCD_KEY_PREFIX: `/committer-${process.pid}-${count++}/` }));
});
afterEach(() => {
  stopping.abort();
  registry.close();
});

const TEXT = "[Service]\nExecStart=/bin/a\n";
const unit = (machineID: string | null) =>
  encodeUnit({
    hash: "h",
    desiredState: "launched",
    machineID,
    global: false,
    lastMachineID: null,
    leaving: null,
    wish: null,
    movingTo: null,
    cause: null,
  });
const machine = (id: string) =>
  encodeMachine({ id, primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" });

/** A registry with two machines and a unit on the first, a model of it, and the leadership over it. */
async function seeded() {
  const { etcd, keys } = registry;
  await etcd.txn(
    [],
    [
      { put: keys.unitFile("h"), value: TEXT },
      { put: keys.machine("m1"), value: machine("m1") },
      { put: keys.machine("m2"), value: machine("m2") },
      { put: keys.unit("a.service"), value: unit("m1") },
      { put: keys.schedule("m1", "a.service"), value: "{}" },
    ],
  );
  const mirror = registry.mirror({ ranges: registry.keys.engineRanges() });
  const feed = new ModelFeed(mirror.state);
  mirror.onChanges((changes) => feed.apply(changes));
  void mirror.run(stopping.signal);
  await mirror.ready;
  const lease = await Lease.grant({ etcd, ttlMs: 5_000, onTrouble: () => undefined });
  const leadership = await Leadership.campaign(etcd, keys, lease, { machineID: "e", version: 2, startedAt: "" }, null);
  if (leadership === null) throw new Error("nobody else can lead here");
  const { model } = feed;
  const commit = (decisions: readonly Decision[], mayAct = () => true) =>
    new Committer(registry).commit(decisions, mirror.state, model, leadership, true, mayAct);
  const scheduled = async (id: string): Promise<boolean> =>
    (await etcd.txn([], [{ get: keys.schedule(id, "a.service") }])).gets[0] != null;
  return { mirror, model, leadership, commit, scheduled };
}

describe("writing decisions", () => {
  it("moves a unit's record and its schedule entry together", async () => {
    const { model, commit, scheduled } = await seeded();
    await registry.etcd.txn([], [{ delete: registry.keys.machine("m1") }]);
    model.deleteMachine("m1");
    const { done, lost } = await commit(plan(model, 10));
    expect([done.length, lost]).toEqual([1, []]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([false, true]);
  });
  it("takes no unit off a machine that only this engine has not heard of", async () => {
    const { model, commit, scheduled } = await seeded();
    model.deleteMachine("m1"); // as where units come by their watch before machines do
    const { done, lost } = await commit(plan(model, 10));
    expect([done, lost.length]).toEqual([[], 1]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("puts no unit on a machine that has just left", async () => {
    const { model, mirror, commit, scheduled } = await seeded();
    model.setMachine(
      { ...(machineOf(mirror.state, "m1") as NonNullable<ReturnType<typeof machineOf>>), metadata: {} },
      1,
    );
    await registry.etcd.txn([], [{ delete: registry.keys.machine("m2") }]);
    const { done } = await commit([{ name: "a.service", from: "m1", to: "m2", reason: "" }]);
    expect(done).toEqual([]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("writes nothing once deposed, nor when told to stop", async () => {
    const { model, leadership, commit, scheduled } = await seeded();
    await registry.etcd.txn([], [{ delete: registry.keys.machine("m1") }]);
    model.deleteMachine("m1");
    const decisions = plan(model, 10);
    expect((await commit(decisions, () => false)).lost).toEqual(decisions);
    await leadership.resign();
    expect((await commit(decisions)).done).toEqual([]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("gives way to a user who was quicker", async () => {
    const { model, commit } = await seeded();
    await registry.etcd.txn([], [{ delete: registry.keys.machine("m1") }]);
    model.deleteMachine("m1");
    const decisions = plan(model, 10);
    await registry.unitWriter().submit({ kind: "set", name: "a.service", options: null, desiredState: "inactive" });
    expect((await commit(decisions)).lost).toEqual(decisions);
  });
});
