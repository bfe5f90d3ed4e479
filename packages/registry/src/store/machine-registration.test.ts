import { encodeMachine, type MachineRecord, type StateRecord } from "@fleet/domain/cluster";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import type { Etcd } from "./etcd.ts";
import { Lease } from "./lease.ts";
import { MachineRegistration } from "./machine-registration.ts";
import { cordonMachine, forgetMachine } from "./maintenance.ts";

fakeClock();
const { etcd, registry } = fakeRegistry();

const machine = (instanceID: string, id = "m1"): MachineRecord => ({
  id,
  primaryIP: "192.0.2.1",
  metadata: {},
  version: "2.0.0",
  capabilities: [],
  instanceID,
});
const STATE: StateRecord = {
  hash: "h",
  current: "loaded",
  systemd: { load: "loaded", active: "inactive", sub: "dead" },
  error: null,
};
const grant = (client: Etcd = etcd()): Promise<Lease> =>
  Lease.grant({ etcd: client, ttlMs: 5_000, onTrouble: () => undefined });
const enter = async (record: MachineRecord, client: Etcd = etcd(), lease?: Lease): Promise<MachineRegistration> =>
  MachineRegistration.enter(client, registry().keys, lease ?? (await grant(client)), record);
const published = (name: string): string | null => etcd().store.value(registry().keys.state("m1", name));
const entry = (): unknown => JSON.parse(etcd().store.value(registry().keys.machine("m1")) ?? "null");

describe("a machine", () => {
  it("enters under its lease, and is told at which revision", async () => {
    const lease = await grant();
    const registration = await enter(machine("one"), etcd(), lease);
    expect(entry()).toMatchObject({ instanceID: "one" });
    const { keyValues } = await etcd().range({
      start: registry().keys.machine("m1"),
      end: registry().keys.machine("m2"),
    });
    expect(keyValues.map(({ modRevision }) => modRevision)).toEqual([registration.revision]);
    etcd().expireLease(lease.id);
    expect(entry()).toBeNull();
  });
  it("takes its place over from an earlier run, whose lease then no longer holds it", async () => {
    const before = await grant();
    const earlier = await enter(machine("one"), etcd(), before);
    const later = await enter({ ...machine("one"), primaryIP: "192.0.2.9" });
    await before.revoke();
    expect(entry()).toMatchObject({ primaryIP: "192.0.2.9" });
    await later.publish([{ name: "a.service", state: STATE }]);
    expect(published("a.service")).not.toBeNull();
    expect(earlier.revision).toBeLessThan(etcd().store.revision);
  });
  it("notes that oneshots have ended, which outlives its lease, and only while it holds its place", async () => {
    const lease = await grant();
    const registration = await enter(machine("one"), etcd(), lease);
    const key = registry().keys.ended("m1", "a.service");
    await registration.publish([{ name: "a.service", state: STATE, ended: { hash: "h" } }]);
    expect(await registration.endedHashes()).toEqual(new Map([["a.service", "h"]]));
    await registration.publish([{ name: "a.service", state: STATE }]);
    etcd().expireLease(lease.id);
    expect([published("a.service"), etcd().store.value(key)]).toEqual([null, '{"hash":"h"}']);
    await expect(registration.takeBackEnded("a.service")).rejects.toMatchObject({ code: "lease-lost" });
    const later = await enter(machine("one"));
    await later.takeBackEnded("a.service");
    expect(etcd().store.value(key)).toBeNull();
    await later.publish([{ name: "a.service", state: STATE, ended: { hash: "h" } }]);
    await later.publish([{ name: "a.service", state: STATE, ended: null }]);
    expect(etcd().store.value(key)).toBeNull();
  });
  it("is known from then on, also while it is lost, until it is forgotten", async () => {
    const lease = await grant();
    await enter({ ...machine("one"), hostname: "h1" }, etcd(), lease);
    const known = registry().keys.knownMachine("m1");
    expect(JSON.parse(etcd().store.value(known) ?? "")).toEqual({ primaryIP: "192.0.2.1", hostname: "h1" });
    await expect(forgetMachine(etcd(), registry().keys, "m1")).rejects.toMatchObject({ code: "refused" });
    await cordonMachine(etcd(), registry().keys, "m1", { drain: false, since: new Date(0) });
    etcd().expireLease(lease.id);
    expect(etcd().store.value(known)).not.toBeNull();
    await forgetMachine(etcd(), registry().keys, "m1");
    expect([etcd().store.value(known), etcd().store.value(registry().keys.cordon("m1"))]).toEqual([null, null]);
  });
  it("that comes back is written as lost no longer, and nothing is where it was not", async () => {
    const known = registry().keys.knownMachine("m1");
    const written = { primaryIP: "192.0.2.1", lostSince: "2026-01-01T00:00:00Z" };
    await etcd().txn([], [{ put: known, value: JSON.stringify(written) }]);
    await enter(machine("one"));
    expect(JSON.parse(etcd().store.value(known) ?? "")).toEqual({ primaryIP: "192.0.2.1" });
    const puts = etcd().txns.flatMap(({ ops }) => ops.filter((op) => "put" in op && op.put === known)).length;
    await enter(machine("one"));
    expect(etcd().txns.flatMap(({ ops }) => ops.filter((op) => "put" in op && op.put === known))).toHaveLength(puts);
  });
  it("is refused the ID that another instance holds, and leaves that one's entry as it is", async () => {
    await enter(machine("one"));
    const before = etcd().store.revision;
    await expect(enter(machine("two"))).rejects.toMatchObject({
      code: "refused",
      message: expect.stringMatching(/machine ID m1 is held by another agent \(at 192\.0\.2\.1\).*agent_ttl/),
    });
    expect(etcd().store.revision).toBe(before);
  });
  it("says that it does not know the other's address where that has told none", async () => {
    await enter({ ...machine("one"), primaryIP: "" });
    await expect(enter(machine("two"))).rejects.toThrow("at an unknown address");
  });
  it("is refused an ID under which there is an entry that can't be read: another agent may be there", async () => {
    const key = registry().keys.machine("m1");
    await etcd()
      .connect()
      .txn([], [{ put: key, value: "v3" }]);
    await expect(enter(machine("one"))).rejects.toMatchObject({
      code: "refused",
      message: expect.stringMatching(/record can't be read.*delete \/test\/machines\/m1/),
    });
    expect(etcd().store.value(key)).toBe("v3");
  });
  it("does not take over an entry that changes while it looks", async () => {
    await enter(machine("one"));
    const slow = etcd().connect();
    const lease = await grant(slow);
    slow.hold("txn");
    const second = enter(machine("one"), slow, lease);
    await etcd().txn([], [{ put: registry().keys.machine("m1"), value: encodeMachine(machine("two")) }]);
    slow.release();
    await expect(second).rejects.toMatchObject({ code: "conflict" });
    expect(entry()).toMatchObject({ instanceID: "two" });
  });
  it("takes all that it has published with it when it leaves", async () => {
    const registration = await enter(machine("one"));
    await registration.publish([{ name: "a.service", state: STATE }]);
    await registration.leave();
    expect([entry(), published("a.service")]).toEqual([null, null]);
  });
});

describe("what a machine publishes", () => {
  it("are states under its lease; null takes one away", async () => {
    const lease = await grant();
    const registration = await enter(machine("one"), etcd(), lease);
    await registration.publish([
      { name: "a.service", state: STATE },
      { name: "b.service", state: STATE },
    ]);
    await registration.publish([{ name: "a.service", state: null }]);
    expect([published("a.service"), published("b.service")]).toEqual([null, expect.stringContaining('"loaded"')]);
    etcd().expireLease(lease.id);
    expect(published("b.service")).toBeNull();
  });
  it("travels in as few transactions as etcd takes, and not at all where there are none", async () => {
    const registration = await enter(machine("one"));
    const before = etcd().txns.length;
    await registration.publish([]);
    await registration.publish(
      Array.from({ length: 250 }, (_, index) => ({ name: `u${index}.service`, state: STATE })),
    );
    expect(
      etcd()
        .txns.slice(before)
        .map(({ ops }) => ops.length),
    ).toEqual([120, 120, 10]);
    expect(await registration.publishedNames()).toHaveLength(250);
  });
  it("is its record anew where that changes", async () => {
    const lease = await grant();
    const registration = await enter(machine("one"), etcd(), lease);
    await registration.update({ ...machine("one"), metadata: { zone: "b" } });
    expect(entry()).toMatchObject({ metadata: { zone: "b" } });
    await registration.publish([{ name: "a.service", state: STATE }]);
    etcd().expireLease(lease.id);
    expect(entry()).toBeNull();
  });
  it("is refused once another agent has its place, however late it arrives", async () => {
    const paused = etcd().connect();
    const lease = await grant(paused);
    const registration = await enter(machine("one"), paused, lease);
    paused.hold("txn", "request");
    const late = [
      registration.publish([{ name: "a.service", state: STATE }]),
      registration.publish([{ name: "b.service", state: null }]),
      registration.update(machine("one")),
    ];
    etcd().expireLease(lease.id);
    const other = await enter(machine("two"));
    await other.publish([{ name: "b.service", state: STATE }]);
    paused.release();
    for (const write of late) await expect(write).rejects.toMatchObject({ code: "lease-lost" });
    expect(entry()).toMatchObject({ instanceID: "two" });
    expect([published("a.service"), published("b.service")]).toEqual([null, expect.any(String)]);
  });
  it("does not take the place of what was published later where it arrives after that", async () => {
    const registration = await enter(machine("one"));
    const failing = { ...STATE, systemd: { load: "loaded", active: "failed", sub: "failed" } };
    const sent = vi.spyOn(etcd(), "txn");
    const late = async (write: Promise<void>): Promise<() => Promise<boolean>> => {
      await expect(write).rejects.toMatchObject({ code: "timeout" });
      const [compares, ops] = sent.mock.calls.at(-1) ?? [];
      return async () =>
        (
          await etcd()
            .connect()
            .txn(compares ?? [], ops ?? [])
        ).succeeded;
    };
    for (const write of [
      () => registration.publish([{ name: "a.service", state: failing, ended: { hash: "h" } }]),
      () => registration.update({ ...machine("one"), metadata: { zone: "old" } }),
    ]) {
      etcd().fail("txn", "timeout", 1);
      const arrive = await late(write());
      await registration.update(machine("one"));
      await registration.publish([{ name: "a.service", state: STATE, ended: null }]);
      expect(await arrive()).toBe(false);
    }
    expect(entry()).toMatchObject({ metadata: {} });
    expect(published("a.service")).toContain('"inactive"');
    expect(etcd().store.value(registry().keys.ended("m1", "a.service"))).toBeNull();
  });
  it("is written in turn: its record anew voids nothing that is published at the same time", async () => {
    const registration = await enter(machine("one"));
    await Promise.all([
      registration.update({ ...machine("one"), metadata: { zone: "b" } }),
      registration.publish([{ name: "a.service", state: STATE }]),
      registration.takeBackEnded("a.service"),
      registration.update({ ...machine("one"), metadata: { zone: "c" } }),
    ]);
    expect(entry()).toMatchObject({ metadata: { zone: "c" } });
    expect(published("a.service")).not.toBeNull();
  });
  it("goes on after a write of its record that was carried out and not answered", async () => {
    const registration = await enter(machine("one"));
    etcd().hold("txn", "answer");
    const unanswered = registration.update({ ...machine("one"), metadata: { zone: "b" } });
    etcd().fail("txn", "timeout", 1);
    etcd().release();
    await unanswered.catch(() => undefined);
    await registration.publish([{ name: "a.service", state: STATE }]);
    await registration.update(machine("one"));
    expect(published("a.service")).not.toBeNull();
    expect(entry()).toMatchObject({ metadata: {} });
  });
  it("can be named, over pages, without the states of machines with longer IDs", async () => {
    const registration = await enter(machine("one"));
    const other = await enter(machine("one", "m10"));
    await other.publish([{ name: "theirs.service", state: STATE }]);
    const names = Array.from({ length: 2_050 }, (_, index) => `u${index}.service`);
    await registration.publish(names.map((name) => ({ name, state: STATE })));
    expect(await registration.publishedNames()).toEqual(names.toSorted());
  });
});
