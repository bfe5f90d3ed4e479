import { ClusterState, encodeEnded, encodeMachine, encodeUnit, machineOf } from "@fleet/domain/cluster";
import { type Decision, plan } from "@fleet/domain/placement";
import { NOWHERE } from "@fleet/domain/whereabouts";
import { describe, expect, it } from "vitest";
import { lead } from "../../../testbed/led-registry.ts";
import { testRegistry } from "../../../testbed/test-registry.ts";
import { Committer } from "./committer.ts";

// On a real etcd: its transactions are what these rules rest on.
const test = testRegistry("committer");
const { registry } = test;

const TEXT = "[Service]\nExecStart=/bin/a\n";
const unit = (machineID: string | null) =>
  encodeUnit({
    hash: "h",
    desiredState: "launched",
    global: false,
    whereabouts: machineID === null ? NOWHERE : { kind: "placed", on: machineID },
    cause: null,
  });
const machine = (id: string) =>
  encodeMachine({ id, primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" });

/** A registry with two machines and a unit on the first, a model of it, and the leadership over it. */
async function seeded() {
  const { etcd, keys } = registry();
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
  const { mirror, feed, leadership } = await lead(test, 5_000);
  const { model } = feed;
  const commit = (decisions: readonly Decision[], mayAct = () => true) =>
    new Committer(registry()).commit(decisions, mirror.state, model, leadership, true, mayAct);
  const scheduled = async (id: string): Promise<boolean> =>
    (await etcd.txn([], [{ get: keys.schedule(id, "a.service") }])).gets[0] != null;
  return { mirror, model, leadership, commit, scheduled };
}

describe("writing decisions", () => {
  it("moves a unit's record and its schedule entry together", async () => {
    const { model, commit, scheduled } = await seeded();
    await registry().etcd.txn([], [{ delete: registry().keys.machine("m1") }]);
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
    await registry().etcd.txn([], [{ delete: registry().keys.machine("m2") }]);
    const { done } = await commit([{ name: "a.service", from: "m1", to: "m2", reason: "" }]);
    expect(done).toEqual([]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("writes nothing once deposed, nor when told to stop", async () => {
    const { model, leadership, commit, scheduled } = await seeded();
    await registry().etcd.txn([], [{ delete: registry().keys.machine("m1") }]);
    model.deleteMachine("m1");
    const decisions = plan(model, 10);
    expect((await commit(decisions, () => false)).lost).toEqual(decisions);
    await leadership.resign();
    expect((await commit(decisions)).done).toEqual([]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("gives way to a user who was quicker", async () => {
    const { model, commit } = await seeded();
    await registry().etcd.txn([], [{ delete: registry().keys.machine("m1") }]);
    model.deleteMachine("m1");
    const decisions = plan(model, 10);
    await registry().unitWriter().submit({ kind: "set", name: "a.service", options: null, desiredState: "inactive" });
    expect((await commit(decisions)).lost).toEqual(decisions);
  });
  it("places no oneshot anew of which it has not heard that it has ended", async () => {
    const { model, leadership, scheduled } = await seeded();
    const { etcd, keys } = registry();
    const behind = new ClusterState(keys);
    for (const keyValue of (await etcd.range(keys.all())).keyValues) behind.put(keyValue);
    const note = { put: keys.ended("m1", "a.service"), value: encodeEnded({ hash: "h" }) };
    await etcd.txn([], [note, { delete: keys.machine("m1") }]);
    model.deleteMachine("m1");
    const committer = new Committer(registry());
    const { done, lost } = await committer.commit(plan(model, 10), behind, model, leadership, true, () => true);
    expect([done, lost.length]).toEqual([[], 1]);
    expect([await scheduled("m1"), await scheduled("m2")]).toEqual([true, false]);
  });
  it("takes units off as many lost machines, in transactions that etcd takes", async () => {
    const { mirror, commit } = await seeded();
    const { etcd, keys } = registry();
    const ids = Array.from({ length: 100 }, (_, index) => `lost${index}`);
    const { revision } = await etcd.txn(
      [],
      ids.map((id) => ({ put: keys.unit(`${id}.service`), value: unit(id) })),
    );
    expect(await mirror.waitFor(keys.unit("a.service"), revision, 5_000)).toBe(true);
    const decisions = ids.map((id) => ({ name: `${id}.service`, from: id, to: null, reason: "" }));
    const { done, lost } = await commit(decisions);
    expect([done.length, lost]).toEqual([100, []]);
  });
});
