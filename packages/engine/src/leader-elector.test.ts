import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { LeaderElector } from "./leader-elector.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

const RECORD = { machineID: "m1", version: 2, startedAt: "" };
function newElector(): {
  elector: LeaderElector;
  lost: string[];
  campaign: () => ReturnType<LeaderElector["campaign"]>;
} {
  const lost: string[] = [];
  const { keys } = registry();
  const elector = new LeaderElector({
    ...{ etcd: etcd(), keys, onTrouble: () => undefined, onLost: (why: string) => lost.push(why) },
  });
  const campaign = async (): ReturnType<LeaderElector["campaign"]> => {
    const [known] = (
      await etcd()
        .connect()
        .txn([], [{ get: keys.engineVersion() }])
    ).gets;
    return elector.campaign(5_000, RECORD, known == null ? null : { version: 2, modRevision: known.modRevision });
  };
  return { elector, lost, campaign };
}
const leader = (): string | null => etcd().store.value(registry().keys.leader());

describe("a claim to lead", () => {
  it("that is won holds as long as its lease is kept alive", async () => {
    const { elector, campaign, lost } = newElector();
    const leadership = await campaign();
    expect(elector.leadership).toBe(leadership);
    expect(elector.since).toBe(etcd().store.revision);
    await clock.pass(60_000);
    expect([elector.leadership === leadership, leader() !== null, lost]).toEqual([true, true, []]);
    await elector.resign();
  });
  it("that was won without hearing of it is given up, for somebody to lead", async () => {
    const { elector, campaign } = newElector();
    etcd().dropAnswers("txn");
    await expect(campaign()).rejects.toMatchObject({ code: "timeout" });
    expect([elector.leadership, elector.since, leader()]).toEqual([null, null, null]);
    expect(await campaign()).not.toBeNull();
    await elector.resign();
  });
  it("that is lost is tried again under the same lease", async () => {
    const { elector, campaign } = newElector();
    await etcd().txn([], [{ put: registry().keys.leader(), value: "{}" }]);
    expect([await campaign(), await campaign(), elector.leadership]).toEqual([null, null, null]);
    expect(etcd().asked.get("grantLease")).toBe(1);
    await elector.resign();
  });
  it("ends when etcd says that its lease has ended, which is told once", async () => {
    const { elector, campaign, lost } = newElector();
    const leadership = await campaign();
    etcd().expireLease(leadership?.lease.id ?? "");
    await clock.pass(5_000);
    expect([elector.leadership, lost]).toEqual([null, ["its lease has ended"]]);
    await clock.pass(60_000);
    expect(lost).toHaveLength(1);
  });
  it("that nobody had ends without a word", async () => {
    const { elector, campaign, lost } = newElector();
    await etcd().txn([], [{ put: registry().keys.leader(), value: "{}" }]);
    await campaign();
    etcd().store.advance(60_000);
    await clock.pass(5_000);
    expect([elector.leadership, lost]).toEqual([null, []]);
  });
  it("that is given up makes room at once, and is not told as lost", async () => {
    const { elector, campaign, lost } = newElector();
    await campaign();
    await elector.resign();
    expect([elector.leadership, leader()]).toEqual([null, null]);
    const asked = etcd().asked.get("keepLeaseAlive");
    await clock.pass(60_000);
    expect([lost, etcd().asked.get("keepLeaseAlive")]).toEqual([[], asked]);
  });
});
