import { encodeEnded } from "@fleet/domain/cluster";
import { encodeRoll, type RollRecord } from "@fleet/domain/roll";
import { hashText, parseUnitFile } from "@fleet/domain/unit";
import type { UnitChange } from "@fleet/registry";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { lead } from "../../../testbed/led-registry.ts";
import { Sweeper } from "./sweeper.ts";
import { PLAIN, SimulatedCluster } from "./testing/simulated-cluster.ts";

const clock = fakeClock();
const test = fakeRegistry();
const { etcd, registry } = test;

/** A file that no unit refers to beside one that is in use, and who sweeps under a leadership. */
async function unswept(allEveryMs = 0) {
  const { keys } = registry();
  const file = (text: string): string => keys.unitFile(hashText(text));
  const write = (text: string): Promise<unknown> =>
    etcd()
      .connect()
      .txn([], [{ put: file(text), value: text }]);
  const cluster = new SimulatedCluster(etcd(), keys);
  await cluster.unit("a.service");
  await write("unused");
  const leading = lead(test, 60_000);
  await clock.pass(1);
  const { mirror, leadership } = await leading;
  const sweeper = new Sweeper(registry(), allEveryMs);
  mirror.onChanges((changes) => sweeper.note(changes));
  const sweep = async (): Promise<number> => {
    await clock.pass(1);
    return sweeper.sweep(mirror.state, leadership);
  };
  const sweepEnded = async (): Promise<void> => {
    await clock.pass(1);
    return sweeper.sweepEnded(mirror.state, leadership);
  };
  const isThere = (text: string): boolean => etcd().store.value(file(text)) !== null;
  return { cluster, write, sweep, sweepEnded, isThere, leadership };
}

describe("a unit file", () => {
  it("goes when it was unused in two sweeps in a row, and one in use stays", async () => {
    const { sweep, isThere } = await unswept();
    expect([await sweep(), isThere("unused")]).toEqual([0, true]);
    expect([await sweep(), isThere("unused"), isThere(PLAIN)]).toEqual([1, false, true]);
    expect(await sweep()).toBe(0);
  });
  it("stays when it was written again between two sweeps", async () => {
    const { sweep, write, isThere } = await unswept();
    await sweep();
    await write("unused");
    expect([await sweep(), isThere("unused")]).toEqual([0, true]);
    expect([await sweep(), isThere("unused")]).toEqual([1, false]);
  });
  it("stays when it is written again while it is being removed", async () => {
    const { sweep, write, isThere } = await unswept();
    await sweep();
    etcd().hold("txn", "request");
    const swept = sweep();
    await clock.pass(1);
    await write("unused");
    etcd().release();
    expect([await swept, isThere("unused")]).toEqual([0, true]);
  });
  it("stays when a unit uses it by the second sweep", async () => {
    const { cluster, sweep, isThere } = await unswept();
    await sweep();
    await cluster.unit("b.service", undefined, "unused");
    expect([await sweep(), await sweep(), isThere("unused")]).toEqual([0, 0, true]);
  });
  it.each([
    [
      "a unit's record of another desired state",
      "units/b.service",
      (hash: string) => ({ hash, desiredState: "paused" }),
    ],
    ["a global entry of another shape", "global/b.service", (hash: string) => ({ hash, desiredState: 7 })],
    ["a record that names no file that can be told", "units/b.service", () => "v3"],
  ])("stays while %s, which can't be read, may refer to it", async (_what, path, value) => {
    const { sweep, isThere } = await unswept();
    const key = `${registry().keys.prefix}${path}`;
    const record = JSON.stringify(value(hashText("unused")));
    await etcd()
      .connect()
      .txn([], [{ put: key, value: record }]);
    for (let times = 0; times < 4; times++) expect(await sweep()).toBe(0);
    expect(isThere("unused")).toBe(true);
    await etcd()
      .connect()
      .txn([], [{ delete: key }]);
    expect([await sweep(), await sweep(), isThere("unused")]).toEqual([0, 1, false]);
  });
  it("goes soon after its last unit has left it, without a look at all texts", async () => {
    const { cluster, sweep, isThere } = await unswept(1_000);
    await cluster.unit("b.service", undefined, "left");
    await cluster.unit("c.service", undefined, "left");
    expect([await sweep(), await sweep()]).toEqual([0, 0]);
    await cluster.unit("b.service");
    expect([await sweep(), await sweep(), isThere("left")]).toEqual([0, 0, true]);
    await cluster.unit("c.service");
    expect([await sweep(), isThere("left")]).toEqual([0, true]);
    expect([await sweep(), isThere("left")]).toEqual([1, false]);
    expect(isThere("unused")).toBe(true);
    await clock.pass(1_000);
    expect([await sweep(), await sweep(), isThere("unused")]).toEqual([0, 1, false]);
  });
  it("of hundreds that units leave at once goes with all of them", async () => {
    const { cluster, sweep } = await unswept(1_000);
    await sweep();
    for (let index = 0; index < 600; index++) await cluster.unit(`${index}.service`, undefined, `left ${index}`);
    for (let index = 0; index < 600; index++) await cluster.unit(`${index}.service`);
    expect([await sweep(), await sweep(), await sweep()]).toEqual([0, 601, 0]);
  });
  it("is removed by a leader only", async () => {
    const { sweep, isThere, leadership } = await unswept();
    await sweep();
    await leadership.resign();
    expect([await sweep(), isThere("unused")]).toEqual([0, true]);
  });
  it("goes with hundreds of others, in transactions that etcd takes", async () => {
    const { sweep, write } = await unswept();
    for (let index = 0; index < 200; index++) await write(`unused ${index}`);
    expect([await sweep(), await sweep()]).toEqual([0, 201]);
  });
});

describe("a text as its user wrote it", () => {
  const finished = async <T>(work: Promise<T>): Promise<T> => {
    await clock.pass(1);
    return work;
  };
  const FILE = parseUnitFile(PLAIN);
  const change = (text: string | null): UnitChange => ({
    kind: "set",
    name: "b.service",
    options: FILE,
    desiredState: "inactive",
    text,
  });
  /** Two units whose users wrote comments, and who sweeps. */
  async function commented() {
    const all = await unswept();
    const writer = registry().unitWriter();
    const submit = async (text: string | null): Promise<void> => {
      await finished(writer.submit(change(text)));
    };
    await submit(`# first\n${PLAIN}`);
    await submit(`# second\n${PLAIN}`);
    const sources = (): readonly string[] =>
      ["first", "second"].filter(
        (word) => etcd().store.value(registry().keys.source(hashText(`# ${word}\n${PLAIN}`))) !== null,
      );
    await all.sweep();
    return { ...all, submit, sources };
  }
  it("stays for as long as a unit or one of its kept versions names it, and then goes like a file", async () => {
    const { sweep, submit, sources } = await commented();
    await sweep();
    expect(sources()).toEqual(["first", "second"]);
    for (let index = 0; index < 9; index++) await submit(`# ${index}\n${PLAIN}`);
    // The first look takes the oldest version, and sees its text unused; the second sees that again.
    for (const left of [["first", "second"], ["second"], ["second"]]) {
      await sweep();
      expect(sources()).toEqual(left);
    }
  });
  it("stays while a version that can't be read may name it", async () => {
    const { sweep, sources } = await commented();
    const { keys } = registry();
    for (const { id } of await finished(registry().versions("b.service")))
      await etcd()
        .connect()
        .txn([], [{ delete: keys.version("b.service", id) }]);
    await etcd()
      .connect()
      .txn([], [{ put: keys.version("b.service", "x"), value: "v3" }]);
    for (let times = 0; times < 4; times++) await sweep();
    expect(sources()).toEqual(["first", "second"]);
  });
  it("stays for as long as a roll that is kept, or one that can't be read, may go to it or back to it", async () => {
    const { sweep, sources } = await commented();
    await finished(registry().unitWriter().submit({ kind: "destroy", name: "b.service" }));
    const texts = ["first", "second"].map((word) => ({ hash: "0a", source: hashText(`# ${word}\n${PLAIN}`) }));
    const [from = texts[0], to = from] = texts;
    if (from === undefined || to === undefined) throw new Error("there are two texts");
    const roll: RollRecord = {
      ...{ kind: "replace", units: [{ name: "b.service", from, to }], maxUnavailable: 1, pauseMs: 0, settleMs: 0 },
      ...{ canary: null, onFailure: "stop", by: null, message: null, at: "" },
    };
    const put = (value: string): Promise<unknown> =>
      etcd()
        .connect()
        .txn([], [{ put: registry().keys.roll("1"), value }]);
    vi.setSystemTime(Date.now() + 24 * 3_600_000 + 60_000);
    for (const value of [encodeRoll(roll), '{"kind":"surge"}']) {
      await put(value);
      for (let times = 0; times < 4; times++) await sweep();
      expect(sources()).toEqual(["first", "second"]);
    }
    await put(encodeRoll({ ...roll, units: [] }));
    for (let times = 0; times < 4; times++) await sweep();
    expect(sources()).toEqual([]);
  });
  it("of a unit that was destroyed stays for a day", async () => {
    const { sweep, sources } = await commented();
    await finished(registry().unitWriter().submit({ kind: "destroy", name: "b.service" }));
    for (let times = 0; times < 4; times++) await sweep();
    expect(sources()).toEqual(["first", "second"]);
    vi.setSystemTime(Date.now() + 24 * 3_600_000 + 60_000);
    for (let times = 0; times < 4; times++) await sweep();
    expect(sources()).toEqual([]);
    expect(await finished(registry().versions("b.service"))).toEqual([]);
  });
  it("stays when it was written again between two sweeps", async () => {
    const { sweep, submit, sources } = await commented();
    await submit(`# first\n${PLAIN}`);
    await submit(`# second\n${PLAIN}`);
    await sweep();
    expect(sources()).toEqual(["first", "second"]);
  });
  it("stays while a record that can't be read may name it", async () => {
    const { sweep, sources } = await commented();
    const key = registry().keys.unit("c.service");
    const value = JSON.stringify({ hash: hashText(PLAIN), desiredState: "paused", source: { text: "?" } });
    await etcd()
      .connect()
      .txn([], [{ put: key, value }]);
    for (let times = 0; times < 4; times++) await sweep();
    expect(sources()).toEqual(["first", "second"]);
  });
});

describe("a note that a oneshot has ended", () => {
  const TEXT = "[Service]\nType=oneshot\nExecStart=/bin/a\n";
  const note = (): string => registry().keys.ended("m1", "once.service");
  const write = (hash: string): Promise<unknown> =>
    etcd()
      .connect()
      .txn([], [{ put: note(), value: encodeEnded({ hash }) }]);
  /** A note of an older version of a unit, and who sweeps. */
  async function stale() {
    const { cluster, sweepEnded } = await unswept();
    await cluster.unit("once.service", { kind: "placed", on: "m1" }, TEXT);
    await write("older");
    return sweepEnded;
  }
  it("goes once it has said nothing at two looks in a row", async () => {
    const sweepEnded = await stale();
    await sweepEnded();
    expect(etcd().store.value(note())).not.toBeNull();
    await sweepEnded();
    expect(etcd().store.value(note())).toBeNull();
  });
  it("stays where it is written anew while the older one is being swept", async () => {
    const sweepEnded = await stale();
    await sweepEnded();
    etcd().hold("txn", "request");
    const swept = sweepEnded();
    await clock.pass(1);
    await write(hashText(TEXT));
    etcd().release();
    await swept;
    expect(etcd().store.value(note())).toBe(encodeEnded({ hash: hashText(TEXT) }));
  });
});
