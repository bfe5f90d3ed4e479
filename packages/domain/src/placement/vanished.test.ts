import { describe, expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import { ClusterState } from "../cluster/state.ts";
import { ModelFeed } from "./model-feed.ts";
import { plan } from "./plan.ts";
import { run } from "./testing/clusters.ts";
import { graceUntil, VanishedMachines } from "./vanished.ts";

const TTL = 20_000;

describe("a machine that has vanished", () => {
  const silence = { from: 100_000, to: 130_000 };
  it.each([
    ["right after a silence has a grace", 130_001, silence, TTL, 170_000],
    ["in the course of a silence, as it is told later, has one", 110_000, silence, TTL, 170_000],
    ["a lease after a silence has the same", 150_000, silence, TTL, 170_000],
    ["later than that is gone", 150_001, silence, TTL, null],
    ["before the silence is gone", 99_999, silence, TTL, null],
    ["without a silence is gone", 130_001, null, TTL, null],
    ["after the shortest silence that may end a lease has one", 130_000, { from: 120_000, to: 130_000 }, TTL, 170_000],
    ["after a silence in which no lease can have ended is gone", 130_000, { from: 120_001, to: 130_000 }, TTL, null],
    ["has time to connect again however short its lease is", 130_000, silence, 2_000, 145_000],
  ])("%s", (_what, at, before, ttl, until) => expect(graceUntil(at, before, ttl)).toBe(until));
});

describe("an engine's memory of machines", () => {
  it("gives a grace to those that vanish with etcd's first words after a silence, until it ends or they are back", () => {
    const vanished = new VanishedMachines(TTL, 0);
    for (let now = 5_000; now <= 50_000; now += 5_000) vanished.heard(now);
    expect(vanished.vanished("m0", 50_000)).toBe(false);
    vanished.heard(80_000);
    expect(["m2", "m1", "m3"].map((id) => vanished.vanished(id, 80_000))).toEqual([true, true, true]);
    vanished.heard(81_000);
    vanished.returned("m3");
    expect([vanished.nextEnd, vanished.ended(119_999)]).toEqual([120_000, []]);
    expect([vanished.ended(120_000), vanished.nextEnd, vanished.ended(200_000)]).toEqual([["m1", "m2"], null, []]);
    expect(vanished.vanished("m1", 120_000)).toBe(false);
  });
});

describe("an engine's memory of silences", () => {
  it("keeps the latest that counts, however often etcd is heard after it", () => {
    const vanished = new VanishedMachines(TTL, 0);
    vanished.heard(30_000);
    for (let now = 31_000; now <= 49_000; now += 1_000) vanished.heard(now);
    expect(vanished.vanished("m1", 49_000)).toBe(true);
    vanished.heard(60_000);
    expect([vanished.vanished("m2", 60_000), vanished.nextEnd]).toEqual([true, 70_000]);
    expect(vanished.ended(70_000)).toEqual(["m1"]);
    expect([vanished.nextEnd, vanished.ended(100_000)]).toEqual([100_000, ["m2"]]);
  });
  it("has none while etcd is heard often enough", () => {
    const vanished = new VanishedMachines(TTL, 0);
    for (let now = 9_999; now < 100_000; now += 9_999) vanished.heard(now);
    expect(vanished.vanished("m1", 99_990)).toBe(false);
  });
});

describe("units of a machine that has a grace", () => {
  const keys = new Keys("/f/");
  function cluster() {
    const state = new ClusterState(keys);
    const put = (key: string, value: string) => state.put({ key, value, createRevision: 1, modRevision: 1 });
    put(keys.unitFile("h"), "[Service]\n");
    put(keys.unit("a.service"), '{"hash":"h","desiredState":"launched","machineID":"m1"}');
    put(keys.machine("m1"), '{"id":"m1"}');
    put(keys.machine("m2"), '{"id":"m2"}');
    const feed = new ModelFeed(state);
    run(feed.load());
    plan(feed.model, 10);
    const apply = (change: ReturnType<typeof put>): void => feed.apply(change === null ? [] : [change]);
    const vanish = (): void => apply(state.delete(keys.machine("m1"), 2));
    return { model: feed.model, vanish, back: (): void => apply(put(keys.machine("m1"), '{"id":"m1"}')) };
  }
  it("stay where they are, and move when it ends", () => {
    const { model, vanish } = cluster();
    model.holdMachine("m1");
    vanish();
    expect([model.isGone("m1"), plan(model, 10)]).toEqual([false, []]);
    model.releaseMachine("m1");
    expect(plan(model, 10)).toMatchObject([
      { name: "a.service", from: "m1", to: "m2", reason: "its machine m1 is gone" },
    ]);
  });
  it("stay where they are when it comes back, and have no grace the next time", () => {
    const { model, vanish, back } = cluster();
    vanish();
    model.holdMachine("m1");
    back();
    expect(plan(model, 10)).toEqual([]);
    vanish();
    expect(plan(model, 10)).toMatchObject([{ name: "a.service", to: "m2" }]);
  });
});
