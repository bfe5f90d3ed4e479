import type { RegistryError } from "@fleet/domain/cluster";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { Lease, type LeaseOptions } from "./lease.ts";

const clock = fakeClock();
const { etcd, stopping } = fakeRegistry();

const KEY = "/test/held";
const grant = (options: Partial<LeaseOptions> = {}): Promise<Lease> =>
  Lease.grant({ etcd: etcd(), ttlMs: 2_000, onTrouble: () => undefined, ...options });
/** A key under the lease: there as long as etcd has the lease. */
const bind = async (lease: Lease): Promise<void> => {
  await etcd()
    .connect()
    .txn([], [{ put: KEY, value: "v", lease: lease.id }]);
};
const isInEtcd = (): boolean => etcd().store.value(KEY) !== null;
const asked = (): number => etcd().asked.get("keepLeaseAlive") ?? 0;

describe("a lease that is granted", () => {
  it.each([
    [1, 2_000],
    [2_000, 2_000],
    [2_001, 3_000],
    [30_000, 30_000],
  ])("for %d ms lasts %d ms: whole seconds, at least two", async (ttlMs, expected) => {
    const lease = await grant({ ttlMs });
    expect(lease.ttlMs).toBe(expected);
    expect(await etcd().keepLeaseAlive(lease.id)).toBe(expected / 1000);
  });
  it("is believed from the question on, not from the answer", async () => {
    etcd().hold("grantLease");
    const granted = grant();
    await clock.pass(1_500);
    etcd().release();
    const lease = await granted;
    expect(lease.silentMs).toBe(1_500);
    expect(lease.isAlive).toBe(true);
    await clock.pass(500);
    expect(lease.isAlive).toBe(false);
  });
});

describe("a lease that is kept alive", () => {
  it("stays, asking at half of its time", async () => {
    const lease = await grant();
    await bind(lease);
    void lease.keepAlive(stopping().signal);
    for (let second = 1; second <= 60; second++) {
      await clock.pass(1_000);
      expect([asked(), lease.isAlive, isInEtcd()]).toEqual([second, true, true]);
    }
  });
  it("asks oftener where it is told to, and never later than at half of its time", async () => {
    let pauseMs: number | null = 200;
    const lease = await grant({ pauseMs: () => pauseMs });
    void lease.keepAlive(stopping().signal);
    await clock.pass(1_000);
    expect(asked()).toBe(5);
    pauseMs = 60_000;
    await clock.pass(1_200);
    expect(asked()).toBe(7);
    pauseMs = null;
    await clock.pass(2_000);
    expect(asked()).toBe(9);
  });
  it("is believed no longer than etcd keeps it: from before the question was sent", async () => {
    const lease = await grant();
    await bind(lease);
    void lease.keepAlive(stopping().signal);
    etcd().hold("keepLeaseAlive");
    await clock.pass(2_400); // asked at 1 s, and etcd did as it was asked
    etcd().release();
    await clock.pass(0);
    expect([lease.isAlive, lease.silentMs, isInEtcd()]).toEqual([true, 1_400, true]);
    etcd().fail("keepLeaseAlive", "unavailable");
    await clock.pass(599);
    expect([lease.isAlive, isInEtcd()]).toEqual([true, true]);
    await clock.pass(1);
    expect([lease.isAlive, isInEtcd()]).toEqual([false, false]);
  });
  it("tells when each confirmation was asked for", async () => {
    const confirmed: number[] = [];
    const lease = await grant({ onConfirmed: (askedAt) => confirmed.push(askedAt) });
    const begin = lease.confirmedAt;
    void lease.keepAlive(stopping().signal);
    etcd().hold("keepLeaseAlive");
    await clock.pass(1_300);
    etcd().release();
    await clock.pass(0);
    expect(confirmed).toEqual([begin + 1_000]);
    expect(lease.confirmedAt).toBe(begin + 1_000);
  });
  it("asks at once when it is told to", async () => {
    const lease = await grant({ ttlMs: 30_000 });
    void lease.keepAlive(stopping().signal);
    await clock.pass(10);
    lease.beat();
    await clock.pass(0);
    expect([asked(), lease.silentMs]).toEqual([1, 0]);
  });
  it("tries sooner again after a failure, and says the same trouble once until it is over", async () => {
    const troubles: RegistryError[] = [];
    const lease = await grant({ ttlMs: 10_000, onTrouble: (error) => troubles.push(error) });
    void lease.keepAlive(stopping().signal);
    etcd().fail("keepLeaseAlive", "unavailable", 3);
    await clock.pass(5_000);
    expect(asked()).toBe(1);
    await clock.pass(500);
    expect(asked()).toBe(2);
    await clock.pass(1_000);
    expect([asked(), lease.silentMs, troubles.length]).toEqual([4, 0, 1]);
    await clock.pass(4_999);
    expect(asked()).toBe(4);
    etcd().fail("keepLeaseAlive", "unavailable", 1);
    await clock.pass(1);
    expect(troubles.map(({ code }) => code)).toEqual(["unavailable", "unavailable"]);
  });
  it("is over when etcd says so", async () => {
    const lease = await grant({ ttlMs: 10_000 });
    const kept = lease.keepAlive(stopping().signal);
    etcd().expireLease(lease.id);
    expect(lease.isAlive).toBe(true);
    await clock.pass(5_000);
    expect(await kept).toBe(false);
    expect(lease.isAlive).toBe(false);
  });
  it("is not believed while etcd is away for longer than its time, and again if etcd has kept it", async () => {
    const lease = await grant();
    const kept = lease.keepAlive(stopping().signal);
    let isOver = false;
    void kept.finally(() => {
      isOver = true;
    });
    etcd().fail("all", "unavailable");
    const inside = etcd().connect(); // etcd gives leases their whole time again when its leader changes
    for (let times = 0; times < 10; times++) {
      await clock.pass(1_000);
      await inside.keepLeaseAlive(lease.id);
    }
    expect([lease.isAlive, isOver]).toEqual([false, false]);
    etcd().fail("all", null);
    await clock.pass(100);
    expect([lease.isAlive, isOver]).toEqual([true, false]);
    stopping().abort();
    expect(await kept).toBe(true);
  });
  it("that nobody keeps alive any more is still believed until its time is over", async () => {
    const lease = await grant();
    const kept = lease.keepAlive(stopping().signal);
    await clock.pass(500);
    stopping().abort();
    expect(await kept).toBe(true);
    await clock.pass(1_500);
    expect([lease.isAlive, asked()]).toEqual([false, 0]);
  });
});

describe("a lease that is revoked", () => {
  it("is over at once, with its keys", async () => {
    const lease = await grant();
    await bind(lease);
    await lease.revoke();
    expect([lease.isAlive, isInEtcd()]).toEqual([false, false]);
  });
  it("is not believed any more from then on, also where etcd can't be told", async () => {
    const lease = await grant();
    etcd().fail("revokeLease", "unavailable");
    const revoked = lease.revoke();
    expect(lease.isAlive).toBe(false);
    await expect(revoked).rejects.toMatchObject({ code: "unavailable" });
  });
});
