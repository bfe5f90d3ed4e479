import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { LeaderSeat } from "./leader-seat.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

const RECORD = { machineID: "m1", version: 2, startedAt: "" };
function seated(): { seat: LeaderSeat; lost: string[]; campaign: () => ReturnType<LeaderSeat["campaign"]> } {
  const lost: string[] = [];
  const { keys } = registry();
  const seat = new LeaderSeat({
    ...{ etcd: etcd(), keys, onTrouble: () => undefined, onLost: (why: string) => lost.push(why) },
  });
  const campaign = async (): ReturnType<LeaderSeat["campaign"]> => {
    const [known] = (
      await etcd()
        .connect()
        .txn([], [{ get: keys.engineVersion() }])
    ).gets;
    return seat.campaign(5_000, RECORD, known == null ? null : { version: 2, modRevision: known.modRevision });
  };
  return { seat, lost, campaign };
}
const leader = (): string | null => etcd().store.value(registry().keys.leader());

describe("a claim to lead", () => {
  it("that is won holds as long as its lease is kept alive", async () => {
    const { seat, campaign, lost } = seated();
    const leadership = await campaign();
    expect(seat.leadership).toBe(leadership);
    expect(seat.since).toBe(etcd().store.revision);
    await clock.pass(60_000);
    expect([seat.leadership === leadership, leader() !== null, lost]).toEqual([true, true, []]);
    await seat.resign();
  });
  it("that was won without hearing of it is given up, for somebody to lead", async () => {
    const { seat, campaign } = seated();
    etcd().dropAnswers("txn");
    await expect(campaign()).rejects.toMatchObject({ code: "timeout" });
    expect([seat.leadership, seat.since, leader()]).toEqual([null, null, null]);
    expect(await campaign()).not.toBeNull();
    await seat.resign();
  });
  it("that is lost is tried again under the same lease", async () => {
    const { seat, campaign } = seated();
    await etcd().txn([], [{ put: registry().keys.leader(), value: "{}" }]);
    expect([await campaign(), await campaign(), seat.leadership]).toEqual([null, null, null]);
    expect(etcd().asked.get("grantLease")).toBe(1);
    await seat.resign();
  });
  it("ends when etcd says that its lease has ended, which is told once", async () => {
    const { seat, campaign, lost } = seated();
    const leadership = await campaign();
    etcd().expireLease(leadership?.lease.id ?? "");
    await clock.pass(5_000);
    expect([seat.leadership, lost]).toEqual([null, ["its lease has ended"]]);
    await clock.pass(60_000);
    expect(lost).toHaveLength(1);
  });
  it("that nobody had ends without a word", async () => {
    const { seat, campaign, lost } = seated();
    await etcd().txn([], [{ put: registry().keys.leader(), value: "{}" }]);
    await campaign();
    etcd().store.advance(60_000);
    await clock.pass(5_000);
    expect([seat.leadership, lost]).toEqual([null, []]);
  });
  it("that is given up makes room at once, and is not told as lost", async () => {
    const { seat, campaign, lost } = seated();
    await campaign();
    await seat.resign();
    expect([seat.leadership, leader()]).toEqual([null, null]);
    const asked = etcd().asked.get("keepLeaseAlive");
    await clock.pass(60_000);
    expect([lost, etcd().asked.get("keepLeaseAlive")]).toEqual([[], asked]);
  });
});
