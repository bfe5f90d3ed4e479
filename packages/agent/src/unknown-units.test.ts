import { destroyUnknown } from "@fleet/registry";
import { describe, expect, it, vi } from "vitest";
import type { RunningAgent } from "./running-agent.ts";
import { testMachine } from "./testing/test-machine.ts";

const machine = testMachine();

/** More than an agent ever waits before it asks etcd once more. */
const SOON_MS = 6_000;

const isUnknown = (name: string): boolean => machine().published(name)?.unknown === true;
const untilUnknown = (name: string): Promise<void> =>
  machine().until(`${name} to be unknown`, () => isUnknown(name) && machine().isUp(name));
const untilGone = (name: string): Promise<void> =>
  machine().until(`${name} to be gone`, () => machine().calls.at(-1) === `unload ${name}`);
const destroy = async (name: string): Promise<void> => {
  const { registry, etcd, id } = machine();
  await destroyUnknown(etcd.connect(), registry.keys, name, [id]);
};

/** Has the agent's mirror miss a change for good, so that it lists everything anew. */
async function missChange(): Promise<void> {
  const { etcd } = machine();
  etcd.fail("watch", "unavailable");
  await machine().put("other.service", { record: { whereabouts: { kind: "placed", on: machine().other } } });
  etcd.store.compact(etcd.store.revision);
  etcd.fail("watch", null);
  await machine().pass(10_000);
}

/** A machine that runs `old.service`, and `new.service`, which came after the snapshot that etcd is restored from. */
async function restored(
  options: Parameters<ReturnType<typeof machine>["etcd"]["store"]["restore"]>[1] = {},
): Promise<RunningAgent> {
  const { etcd } = machine();
  const agent = await machine().start();
  await machine().put("old.service");
  await machine().untilUp("old.service");
  const snapshot = etcd.store.snapshot();
  await machine().put("new.service");
  await machine().untilUp("new.service");
  etcd.store.restore(snapshot, options);
  etcd.breakWatches();
  return agent;
}

describe("units that a restored registry does not know", () => {
  it.each([
    ["without a bump of revisions", {}],
    ["with a bump of revisions", { revision: 1_000_000 }],
    ["in a new cluster", { clusterID: "2" }],
  ])("are left running %s, published as unknown, and told once", async (_, options) => {
    await restored(options);
    await untilUnknown("new.service");
    await machine().untilUp("old.service");
    await machine().pass(60_000);
    expect(machine().calls).toEqual(["load old.service", "start old.service", "load new.service", "start new.service"]);
    expect([isUnknown("new.service"), isUnknown("old.service")]).toEqual([true, false]);
    const told = machine().logged.filter((line) => line.includes("that the registry does not know"));
    expect(told).toEqual([expect.stringMatching(/^1 units run here .* fleetctl destroy, .*: new\.service$/)]);
  });
  it("are taken away by a command, also by one that was given while the agent was away", async () => {
    const agent = await restored();
    await untilUnknown("new.service");
    await destroy("new.service");
    await untilGone("new.service");
    expect(machine().isUp("old.service")).toBe(true);
    await machine().stop(agent, "keep");
  });
  it("stay unknown over a restart of the agent, and are taken away where a note says so", async () => {
    const agent = await restored();
    await untilUnknown("new.service");
    await machine().stop(agent, "keep");
    const next = await machine().start();
    await machine().pass(30_000);
    expect([isUnknown("new.service"), machine().isUp("new.service")]).toEqual([true, true]);
    await machine().stop(next, "keep");
    await destroy("new.service");
    await machine().start();
    await untilGone("new.service");
  });
  it("are those, too, that are found by an agent which starts after the restore", async () => {
    const agent = await machine().start();
    const snapshot = machine().etcd.store.snapshot();
    await machine().put("new.service");
    await machine().untilUp("new.service");
    await machine().stop(agent, "keep");
    machine().etcd.store.restore(snapshot, { clusterID: "2" });
    await machine().start();
    await untilUnknown("new.service");
  });
  it("are known again, and untouched, once they are submitted and given to their machine", async () => {
    await restored();
    await untilUnknown("new.service");
    await machine().put("new.service");
    await machine().until("it to be known", () => machine().published("new.service")?.unknown === undefined);
    await machine().pass(30_000);
    expect(machine().calls).toHaveLength(4);
    await machine().destroy("new.service");
    await untilGone("new.service");
  });
  it("follow the registry where it has a record of them elsewhere by now", async () => {
    await restored();
    await untilUnknown("new.service");
    await machine().put("new.service", { record: { whereabouts: { kind: "placed", on: machine().other } } });
    await untilGone("new.service");
  });
  it("are left running as long as etcd can't be asked", async () => {
    await restored();
    machine().etcd.fail("txn", "unavailable");
    await machine().pass(60_000);
    expect(machine().isUp("new.service")).toBe(true);
    machine().etcd.fail("txn", null);
    await untilUnknown("new.service");
  });
  it("are asked about more and more seldom while etcd does not answer", async () => {
    await restored();
    await untilUnknown("new.service");
    const { etcd } = machine();
    etcd.fail("txn", "unavailable");
    await missChange();
    await machine().pass(10_000);
    const asked = vi.spyOn(etcd, "txn");
    await machine().pass(20_000);
    expect(asked.mock.calls.length).toBeGreaterThan(3);
    expect(asked.mock.calls.length).toBeLessThan(30);
  });
});

describe("units that were destroyed", () => {
  it("while the agent was away are taken away: each destruction leaves a note", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    await machine().stop(agent, "keep");
    await machine().destroy("a.service");
    await machine().start();
    await untilGone("a.service");
  });
  it("while the agent was away are taken away soon after etcd can be asked of them, however many they are", async () => {
    const names = Array.from({ length: 500 }, (_, index) => `burst-${index}.service`);
    const isLeft = (name: string): boolean => machine().isUp(name);
    const agent = await machine().start();
    for (const name of names) await machine().put(name);
    await machine().until("all to be up", () => names.every(isLeft));
    await machine().stop(agent, "keep");
    for (const name of names) await machine().destroy(name);
    machine().isSystemdAway = true;
    const next = await machine().start();
    await next.entered;
    machine().etcd.fail("txn", "timeout");
    machine().isSystemdAway = false;
    await machine().pass(40_000);
    expect(names.every(isLeft)).toBe(true);
    machine().etcd.fail("txn", null);
    await machine().pass(SOON_MS);
    expect(names.filter(isLeft)).toEqual([]);
  });
  it("while the machine's lease was in doubt are taken away soon after etcd can be asked of them", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    const { etcd } = machine();
    etcd.fail("keepLeaseAlive", "timeout");
    etcd.fail("txn", "timeout");
    await machine().pass(40_000);
    await machine().destroy("a.service");
    await machine().pass(1_000);
    expect(machine().isUp("a.service")).toBe(true);
    etcd.fail("txn", null);
    await machine().pass(SOON_MS);
    expect(machine().calls.at(-1)).toBe("unload a.service");
  });
  it("while the mirror could not follow are taken away, too", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().etcd.fail("all", "unavailable");
    await machine().pass(5_000);
    await machine().destroy("a.service");
    machine().etcd.store.compact(machine().etcd.store.revision);
    machine().etcd.fail("all", null);
    machine().etcd.breakWatches();
    await untilGone("a.service");
  });
});
