import type { RegistryError } from "@fleet/domain/cluster";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import type { Mirror } from "./mirror.ts";

const clock = fakeClock();
const { etcd, registry, stopping } = fakeRegistry();

interface Followed {
  readonly mirror: Mirror;
  readonly troubles: RegistryError[];
  /** What was told, and why everything was read anew before it. */
  readonly told: string[];
}

const unit = (name: string): string => registry().keys.unit(name);
const record = (desiredState: string, hash = "h"): string => JSON.stringify({ hash, desiredState });
const write = async (states: Readonly<Record<string, string | null>>): Promise<number> => {
  const ops = Object.entries(states).map(([name, state]) =>
    state === null ? { delete: unit(name) } : { put: unit(name), value: record(state) },
  );
  return (await etcd().connect().txn([], ops)).revision;
};
/** A mirror that has listed and follows. */
const following = async (): Promise<Followed> => {
  const troubles: RegistryError[] = [];
  const told: string[] = [];
  const mirror = registry().mirror({ onTrouble: (error) => troubles.push(error) });
  void mirror.run(stopping().signal);
  await clock.pass(1);
  mirror.onReadAnew((why) => told.push(`anew: ${why}, with ${states(mirror)}`));
  mirror.onChanges((changes) => {
    for (const change of changes) if (change.kind === "unit") told.push(`${change.name} ${change.after?.desiredState}`);
  });
  return { mirror, troubles, told };
};
const states = (mirror: Mirror): string =>
  [...mirror.state.units].map(([name, { desiredState }]) => `${name} ${desiredState}`).join(", ");
/** Longer than from one check to the next, and for what differs to be looked at again. */
const PAST_A_CHECK_MS = 100_000;

describe("a mirror whose watch has lost an event", () => {
  it.each([
    ["of a key that came", { c: "launched" }],
    ["of a key that changed", { a: "inactive" }],
    ["of a key that went", { b: null }],
  ] as const)("%s has it back after its next check, and says so once", async (_of, lost) => {
    await write({ a: "launched", b: "launched" });
    const followed = await following();
    etcd().loseEvents();
    await write(lost);
    await write({ d: "loaded" }); // later events come, so that the mirror's revision is beyond what it has lost
    await clock.pass(1);
    const without = states(followed.mirror);
    await clock.pass(PAST_A_CHECK_MS);
    expect(states(followed.mirror)).not.toBe(without);
    const { keyValues } = await etcd().range(registry().keys.all());
    expect(followed.mirror.state.units.size).toBe(keyValues.length);
    expect(followed.troubles.map(({ code }) => code)).toEqual(["events-lost"]);
    expect(registry().readAnew).toEqual({ "events-lost": 1, restored: 0 });
    await clock.pass(2 * PAST_A_CHECK_MS);
    expect(registry().readAnew["events-lost"]).toBe(1);
  });
  it("of a unit's text has it back too, and no text is read to find out", async () => {
    const followed = await following();
    etcd().loseEvents();
    await etcd()
      .connect()
      .txn([], [{ put: registry().keys.unitFile("f1"), value: "[Service]\n" }]);
    await clock.pass(PAST_A_CHECK_MS);
    expect([...followed.mirror.state.unitFiles.keys()]).toEqual(["f1"]);
  });
  it.each([
    ["a put of a new key", "c", "launched"],
    ["a put of a key that was there", "a", "inactive"],
    ["a delete", "b", null],
  ] as const)("of %s is read anew at once where somebody waits for that write", async (_of, name, state) => {
    await write({ a: "launched", b: "launched" });
    const { mirror, troubles } = await following();
    etcd().loseEvents();
    const revision = await write({ [name]: state });
    await write({ d: "loaded" });
    await clock.pass(1);
    const seen = mirror.waitForWrite(unit(name), revision, state !== null, 5_000);
    await clock.pass(1_000);
    expect(await seen).toBe(true);
    expect(mirror.state.units.get(name)?.desiredState ?? null).toBe(state);
    expect(troubles.map(({ code }) => code)).toEqual(["events-lost"]);
  });
  it("of nothing is not looked for where a write is there, or was undone since", async () => {
    const { mirror, troubles } = await following();
    const put = await write({ a: "launched" });
    const gone = await write({ a: null });
    const again = await write({ b: "launched" });
    await clock.pass(1);
    expect(await mirror.waitForWrite(unit("a"), put, true, 5_000)).toBe(true);
    expect(await mirror.waitForWrite(unit("a"), gone, false, 5_000)).toBe(true);
    expect(await mirror.waitForWrite(unit("b"), again, true, 5_000)).toBe(true);
    expect(troubles).toEqual([]);
  });
  it("that is only late reads nothing anew", async () => {
    const followed = await following();
    etcd().hold("watch");
    await write({ a: "launched" });
    for (let second = 0; second < 180; second++) {
      await clock.pass(1_000);
      if (second % 3 === 0) {
        etcd().release("watch");
        await clock.pass(1);
        etcd().hold("watch");
        await write({ a: second % 2 === 0 ? "loaded" : "launched" });
      }
    }
    expect(followed.told.length).toBeGreaterThan(50);
    expect(followed.troubles).toEqual([]);
  });
});

describe("a mirror of an etcd that is restored from a backup", () => {
  const restored = async (options?: Parameters<ReturnType<typeof etcd>["store"]["restore"]>[1]): Promise<Followed> => {
    await write({ a: "launched", b: "launched" });
    const snapshot = etcd().store.snapshot();
    await write({ a: "inactive", b: null });
    await write({ c: "launched" });
    const followed = await following();
    etcd().store.restore(snapshot, options);
    etcd().breakWatches();
    await clock.pass(10_000);
    return followed;
  };

  it.each([
    ["at the old revision", undefined],
    ["as another cluster", { clusterID: "2" }],
    ["as another cluster at a later revision", { clusterID: "2", revision: 1_000 }],
  ] as const)(
    "%s shows what etcd has, says it once, and tells the differences after saying so",
    async (_how, options) => {
      const followed = await restored(options);
      expect(states(followed.mirror)).toBe("a launched, b launched");
      expect(followed.mirror.revision).toBe(etcd().store.revision);
      expect(followed.troubles.filter(({ code }) => code === "restored")).toHaveLength(1);
      expect(followed.told[0]).toBe("anew: restored, with a inactive, c launched");
      expect([...followed.told.slice(1)].sort()).toEqual(["a launched", "b launched", "c undefined"]);
      const revision = await write({ c: "loaded" });
      expect(await followed.mirror.waitFor(unit("c"), revision, 0)).toBe(true);
      expect(followed.mirror.state.units.get("c")?.desiredState).toBe("loaded");
    },
  );
  it("past the revision that was known shows what etcd has, also under revisions that were known", async () => {
    await write({ a: "launched" });
    const snapshot = etcd().store.snapshot();
    await write({ a: "inactive" });
    const followed = await following();
    etcd().store.restore(snapshot);
    await write({ a: "loaded" }); // at the same revision as the one that is lost
    await write({ b: "loaded" });
    etcd().breakWatches();
    await clock.pass(PAST_A_CHECK_MS);
    expect([states(followed.mirror), followed.mirror.state.units.size]).not.toContain("a inactive");
    await write({ a: "launched" });
    await clock.pass(1);
    expect(states(followed.mirror)).toContain("a launched");
  });
  it("in the middle of a list takes in nothing of that list, but the next one whole", async () => {
    await write(Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`u${index}`, "launched"])));
    const snapshot = etcd().store.snapshot();
    await write({ late: "launched" });
    const followed = await following();
    await clock.pass(1_000);
    const { range } = etcd();
    let pages = 0;
    vi.spyOn(etcd(), "range").mockImplementation((asked, options) => {
      if (options?.keysOnly !== true && ++pages === 2)
        etcd().store.restore({ ...snapshot, keyValues: [] }, { clusterID: "2", revision: 5_000 });
      return range.call(etcd(), asked, options);
    });
    followed.told.length = 0;
    etcd().store.restore(snapshot, { clusterID: "3" });
    etcd().breakWatches();
    await clock.pass(20_000);
    expect(followed.mirror.state.units.size).toBe(0);
    expect(followed.told.filter((text) => text.startsWith("anew"))).toHaveLength(1);
  });
  it("while nothing is asked of it is noticed at the next check", async () => {
    await write({ a: "launched" });
    const snapshot = etcd().store.snapshot();
    await write({ a: "inactive" });
    const followed = await following();
    etcd().store.restore(snapshot);
    await clock.pass(PAST_A_CHECK_MS);
    expect(states(followed.mirror)).toBe("a launched");
  });
  it("is noticed by a process that begins anew with what an earlier one has seen", async () => {
    await write({ a: "launched" });
    const snapshot = etcd().store.snapshot();
    await write({ a: "inactive" });
    const client = etcd().connect();
    await client.range(registry().keys.all());
    const seen = client.history.position;
    etcd().store.restore(snapshot);
    const why: string[] = [];
    etcd().history.onRestored((text) => why.push(text));
    if (seen !== null) etcd().history.resume(seen);
    await etcd().range(registry().keys.all());
    expect(why).toEqual([`its revision is ${snapshot.revision} and was ${snapshot.revision + 1}`]);
  });
});
