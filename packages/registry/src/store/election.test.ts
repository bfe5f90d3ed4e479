import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import type { FakeEtcd } from "../../../../testbed/fake-etcd.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { Leadership } from "./election.ts";
import { Lease } from "./lease.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

type KnownVersion = Parameters<typeof Leadership.campaign>[4];

const lead = async (
  machineID: string,
  known: KnownVersion = null,
  { version = 2, client = etcd() }: { version?: number; client?: FakeEtcd } = {},
): Promise<Leadership | null> => {
  const lease = await Lease.grant({ etcd: client, ttlMs: 5_000, onTrouble: () => undefined });
  return Leadership.campaign(client, registry().keys, lease, { machineID, version, startedAt: "" }, known);
};
/** The engine's version as etcd holds it. */
const known = async (): Promise<KnownVersion> => {
  const [found] = (await etcd().txn([], [{ get: registry().keys.engineVersion() }])).gets;
  return found == null ? null : { version: Number(found.value), modRevision: found.modRevision };
};
const leader = (): unknown => JSON.parse(etcd().store.value(registry().keys.leader()) ?? "null");
const won = (leadership: Leadership | null): Leadership => {
  if (leadership === null) expect.unreachable();
  return leadership;
};

describe("a campaign", () => {
  it("wins where nobody leads, and leaves the version of the engine that leads", async () => {
    won(await lead("m1"));
    expect(leader()).toMatchObject({ machineID: "m1", version: 2 });
    expect(await known()).toMatchObject({ version: 2 });
  });
  it("wins nothing while somebody leads, and writes nothing", async () => {
    won(await lead("m1"));
    const before = etcd().store.revision;
    expect(await lead("m2", await known())).toBeNull();
    expect(etcd().store.revision).toBe(before);
  });
  it("wins nothing where the version is no longer as it was known", async () => {
    await won(await lead("m1")).resign();
    const old = await known();
    await won(await lead("m2", old, { version: 3 })).resign();
    expect(await lead("m1", old)).toBeNull();
    expect(await lead("m1", null)).toBeNull();
    expect(leader()).toBeNull();
  });
  it("of an engine that is older than one that has led is not even begun", async () => {
    await won(await lead("m1", null, { version: 3 })).resign();
    const newer = await known();
    const before = etcd().txns.length;
    expect(await lead("m2", newer)).toBeNull();
    expect(etcd().txns).toHaveLength(before);
  });
  it("raises the version, and does not write it where it is the same", async () => {
    await won(await lead("m1")).resign();
    const first = await known();
    await won(await lead("m1", first)).resign();
    expect(await known()).toEqual(first);
    await won(await lead("m1", first, { version: 3 })).resign();
    expect(await known()).toMatchObject({ version: 3 });
  });
  it("is won by one of many at once", async () => {
    const campaigns = ["m1", "m2", "m3", "m4"].map((machineID) => lead(machineID, null, { client: etcd().connect() }));
    const winners = (await Promise.all(campaigns)).filter((leadership) => leadership !== null);
    expect(winners).toHaveLength(1);
  });
});

describe("a leader", () => {
  const write = (client: FakeEtcd, { fence }: Leadership, value: string) =>
    client.txn([fence], [{ put: "/test/decision", value }]);

  it("writes as long as it leads, also after it has written its own record anew", async () => {
    const leadership = won(await lead("m1"));
    await etcd().txn([], [{ put: registry().keys.leader(), value: "{}", lease: leadership.lease.id }]);
    expect((await write(etcd(), leadership, "mine")).succeeded).toBe(true);
  });
  it("that was deposed writes nothing, however late its write arrives", async () => {
    const paused = etcd().connect();
    const first = won(await lead("m1", null, { client: paused }));
    paused.hold("txn", "request");
    const late = write(paused, first, "of the old one");
    etcd().expireLease(first.lease.id);
    const second = won(await lead("m1", await known()));
    expect((await write(etcd(), second, "of the new one")).succeeded).toBe(true);
    paused.release();
    expect((await late).succeeded).toBe(false);
    expect(etcd().store.value("/test/decision")).toBe("of the new one");
  });
  it("may act only while what it does will be done before its lease can end", async () => {
    const leadership = won(await lead("m1"));
    expect(leadership.mayAct(4_999)).toBe(true);
    expect(leadership.mayAct(5_000)).toBe(false);
    await clock.pass(3_000);
    expect([leadership.mayAct(1_999), leadership.mayAct(2_000)]).toEqual([true, false]);
    await clock.pass(2_000);
    expect(leadership.mayAct(0)).toBe(false);
    await etcd().connect().keepLeaseAlive(leadership.lease.id);
    expect(leadership.mayAct(0)).toBe(false);
  });
  it("that resigns makes room at once and acts no more", async () => {
    const first = won(await lead("m1"));
    await first.resign();
    expect([first.mayAct(0), leader()]).toEqual([false, null]);
    won(await lead("m2", await known()));
  });
});
