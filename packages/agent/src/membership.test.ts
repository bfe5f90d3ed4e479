import type { MachineRecord } from "@fleet/domain/cluster";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { Membership } from "./membership.ts";

const clock = fakeClock();
const { etcd, registry, stopping } = fakeRegistry();
const ID = "a".repeat(32);
const TTL_MS = 8_000;

/** A member, and what it has told. */
function member() {
  const told = { entered: 0, beats: [] as number[], lines: [] as string[] };
  const record: MachineRecord & { metadata: Record<string, string> } = {
    ...{ id: ID, primaryIP: "192.0.2.1", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "one" },
  };
  const line = (first: unknown, second?: string): void => void told.lines.push(second ?? String(first));
  const membership = new Membership({
    etcd: etcd(),
    keys: registry().keys,
    log: { info: line, warn: line, error: line } as never,
    ttlMs: TTL_MS,
    record: () => record,
    onEntered: async () => {
      told.entered++;
    },
    onBeat: (askedAt) => told.beats.push(askedAt),
    beatMs: () => null,
  });
  void membership.run(stopping().signal);
  return { membership, told, record };
}
const entry = (): MachineRecord | null => JSON.parse(etcd().store.value(registry().keys.machine(ID)) ?? "null");

describe("a machine in the registry", () => {
  it("enters, beats at half of its time, and is sure of itself meanwhile", async () => {
    const { membership, told } = member();
    await clock.pass(0);
    expect([told.entered, membership.isEntered, membership.isSure, membership.refusal]).toEqual([1, true, true, null]);
    await clock.pass(60_000);
    expect(told.beats).toHaveLength(16);
    expect([told.entered, membership.isSure, entry()?.primaryIP]).toEqual([1, true, "192.0.2.1"]);
  });
  it("is not sure of itself once its lease was not confirmed for as long as it lasts, and stays entered", async () => {
    const { membership } = member();
    await clock.pass(0);
    etcd().fail("all", "unavailable");
    await clock.pass(TTL_MS);
    expect([membership.isEntered, membership.isSure]).toEqual([true, false]);
    etcd().fail("all", null);
    await clock.pass(TTL_MS);
    expect(membership.isSure).toBe(true);
  });
  it("enters again after its lease was lost, as the same machine", async () => {
    const { membership, told } = member();
    await clock.pass(0);
    etcd().expireLease(membership.leaseID ?? "");
    expect(entry()).toBeNull();
    await clock.pass(TTL_MS);
    expect([told.entered, entry()?.instanceID, membership.isSure]).toEqual([2, "one", true]);
  });
  it("keeps on trying while etcd is away, and says why once", async () => {
    etcd().fail("all", "unavailable");
    const { membership, told } = member();
    await clock.pass(60_000);
    expect([membership.isEntered, told.entered, told.lines.length]).toEqual([false, 0, 1]);
    etcd().fail("all", null);
    await clock.pass(2_000);
    expect([membership.isEntered, told.entered]).toEqual([true, 1]);
  });
  it("uses a lease again that did not lead to an entry", async () => {
    etcd().fail("txn", "unavailable");
    const { membership } = member();
    await clock.pass(5_000);
    etcd().fail("txn", null);
    await clock.pass(2_000);
    expect([membership.isEntered, etcd().asked.get("grantLease")]).toEqual([true, 1]);
  });
  it("is refused while another instance holds its ID, and is not for any other reason", async () => {
    const value = JSON.stringify({ ...entryOf("another") });
    await etcd()
      .connect()
      .txn([], [{ put: registry().keys.machine(ID), value }]);
    const { membership } = member();
    await clock.pass(0);
    expect(membership.refusal).toMatch(/is held by another agent/);
    etcd().fail("all", "unavailable");
    await clock.pass(5_000);
    expect(membership.refusal).toBeNull();
    etcd().fail("all", null);
    await etcd()
      .connect()
      .txn([], [{ delete: registry().keys.machine(ID) }]);
    await clock.pass(5_000);
    expect([membership.isEntered, membership.refusal]).toEqual([true, null]);
  });
  it("publishes its record anew, and once etcd is back where it is away", async () => {
    const { membership, record } = member();
    await clock.pass(0);
    etcd().fail("txn", "unavailable");
    record.metadata.disk = "ssd";
    const updated = membership.update(stopping().signal);
    await clock.pass(5_000);
    expect(entry()?.metadata).toEqual({});
    etcd().fail("txn", null);
    await clock.pass(5_000);
    await updated;
    expect(entry()?.metadata).toEqual({ disk: "ssd" });
  });
  it("leaves when it is told to", async () => {
    const { membership } = member();
    await clock.pass(0);
    await membership.leave();
    expect([membership.isEntered, entry()]).toEqual([false, null]);
  });
});

function entryOf(instanceID: string): MachineRecord {
  return { id: ID, primaryIP: "192.0.2.9", metadata: {}, version: "2.0.0", capabilities: [], instanceID };
}
