import { describe, expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import { ClusterState } from "../cluster/state.ts";
import { ModelFeed } from "./model-feed.ts";
import { plan } from "./plan.ts";
import { run } from "./testing/clusters.ts";

const keys = new Keys("/f/");
const TEXT = "[X-Fleet]\nMachineMetadata=a=1\n";
const unit = (more: object = {}) => ({ hash: "h", desiredState: "launched", ...more });

/** A feed, and a registry whose changes it hears of. */
function feedOf(values: Readonly<Record<string, object | string>> = {}) {
  const state = new ClusterState(keys);
  let revision = 0;
  const put = (key: string, value: object | string) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return state.put({ key, value: text, createRevision: ++revision, modRevision: revision });
  };
  for (const [key, value] of Object.entries(values)) put(key, value);
  const feed = new ModelFeed(state);
  run(feed.load());
  const { model } = feed;
  const put1 = (key: string, value: object | string): void =>
    feed.apply([put(key, value)].filter((one) => one !== null));
  const remove = (key: string): void => feed.apply([state.delete(key, ++revision)].filter((one) => one !== null));
  return { feed, model, state, put: put1, remove };
}

const EVERYTHING = {
  [keys.unitFile("h")]: TEXT,
  [keys.unitFile("g")]: "[X-Fleet]\nGlobal=true\n",
  [keys.unit("a.service")]: unit(),
  [keys.unit("g.service")]: unit({ hash: "g", global: true }),
  [keys.global("g.service")]: { hash: "g", desiredState: "launched" },
  [keys.machine("m1")]: { id: "m1", metadata: { a: "1" } },
  [keys.machine("m2")]: { id: "m2", metadata: {} },
  [keys.machineMetadata("m2", "a")]: "1",
  [keys.cordon("m1")]: { drain: true, since: "" },
};

describe("a model", () => {
  it("has what the registry held when it was loaded", () => {
    const { model } = feedOf(EVERYTHING);
    expect([...model.machineIDs]).toEqual(["m1", "m2"]);
    expect([model.machineRevision("m1"), model.machineRevision("m9")]).toEqual([6, null]);
    expect([model.isCordoned("m1"), model.isCordoned("m2"), model.draining]).toEqual([true, false, ["m1"]]);
    expect([model.loadOf("m1"), model.loadOf("m2")]).toEqual([1, 1]);
    expect(plan(model, 10)).toMatchObject([{ name: "a.service", to: "m2" }]);
  });
  it("has the same when it heard of it change by change", () => {
    const { model, put } = feedOf();
    for (const [key, value] of Object.entries(EVERYTHING)) put(key, value);
    expect([model.isCordoned("m1"), model.loadOf("m1"), model.loadOf("m2"), model.machineCount]).toEqual([
      true,
      1,
      1,
      2,
    ]);
    expect(plan(model, 10)).toMatchObject([{ name: "a.service", to: "m2" }]);
  });
  it("forgets what goes", () => {
    const { model, remove } = feedOf(EVERYTHING);
    remove(keys.unit("a.service"));
    expect(model.units.has("a.service")).toBe(false);
    remove(keys.global("g.service"));
    expect(model.loadOf("m1")).toBe(0);
    remove(keys.machineMetadata("m2", "a"));
    expect(model.machine("m2")?.metadata).toEqual({});
    remove(keys.machine("m2"));
    expect([...model.machineIDs]).toEqual(["m1"]);
    remove(keys.cordon("m1"));
    expect(model.isCordoned("m1")).toBe(false);
  });
  it("does not know a unit whose file is not there, or can't be read", () => {
    const { model, put } = feedOf(EVERYTHING);
    put(keys.unit("a.service"), unit({ hash: "none" }));
    expect(model.units.has("a.service")).toBe(false);
    put(keys.unitFile("bad"), "[X-Fleet\n");
    put(keys.unit("b.service"), unit({ hash: "bad" }));
    expect(model.units.has("b.service")).toBe(false);
  });
  it("takes a global unit in when its file comes, though that comes later, also anew", () => {
    const { model, put } = feedOf({ [keys.machine("m1")]: { id: "m1", metadata: {} } });
    const wanted = (hash: string) => put(keys.global("g.service"), { hash, desiredState: "launched" });
    wanted("g1");
    put(keys.global("h.service"), { hash: "g1", desiredState: "launched" });
    expect(model.loadOf("m1")).toBe(0);
    put(keys.unitFile("other"), "[X-Fleet]\nWeight=9\n");
    expect(model.loadOf("m1")).toBe(0);
    put(keys.unitFile("g1"), "[X-Fleet]\nWeight=2\n");
    expect(model.loadOf("m1")).toBe(4);
    wanted("g2");
    expect(model.loadOf("m1")).toBe(2);
    put(keys.unitFile("g2"), "[X-Fleet]\nWeight=3\n");
    expect(model.loadOf("m1")).toBe(5);
  });
  it("minds no other changes", () => {
    const { model, put } = feedOf(EVERYTHING);
    plan(model, 10);
    put(keys.leader(), { machineID: "m1", version: 2, startedAt: "" });
    put(keys.move("a.service"), { to: "m1" });
    expect(model.dirtyCount).toBe(0);
  });
  it("is as the registry has it after a decision that was not kept", () => {
    const { feed, model } = feedOf(EVERYTHING);
    plan(model, 10);
    expect(model.units.get("a.service")?.on).toBe("m2");
    feed.syncUnit("a.service");
    expect(model.units.get("a.service")?.on).toBeNull();
  });
  it("is loaded in parts, so that a large cluster holds nothing else up", () => {
    const state = new ClusterState(keys);
    state.put({ key: keys.unitFile("h"), value: "", createRevision: 1, modRevision: 1 });
    for (let n = 0; n < 401; n++)
      state.put({ key: keys.unit(`u${n}.service`), value: JSON.stringify(unit()), createRevision: 1, modRevision: 1 });
    const feed = new ModelFeed(state);
    const sizes = [...feed.load()].length;
    expect([sizes, feed.model.units.size]).toEqual([2, 401]);
  });
});

describe("what can't be read is not taken for nothing", () => {
  const PLACED = { [keys.unitFile("h")]: "[Service]\n", [keys.unit("a.service")]: unit({ machineID: "m1" }) };
  it("units of a machine whose record can't be read stay there, until it goes", () => {
    const { model, put, remove } = feedOf({ ...PLACED, [keys.machine("m1")]: "?", [keys.machine("m2")]: { id: "m2" } });
    expect([model.isGone("m1"), plan(model, 10)]).toEqual([false, []]);
    remove(keys.machine("m1"));
    expect(model.isGone("m1")).toBe(true);
    expect(plan(model, 10)).toMatchObject([{ name: "a.service", from: "m1", to: "m2" }]);
    put(keys.machine("m1"), "?");
    expect(model.isGone("m1")).toBe(false);
  });
  it("a machine whose record can't be read gets nothing new", () => {
    const { model } = feedOf({ ...PLACED, [keys.unit("a.service")]: unit(), [keys.machine("m1")]: "?" });
    expect(plan(model, 10)).toEqual([]);
  });
  it("a cordon that can't be read keeps new units away, moves none, and ends with its key", () => {
    const { model, put, remove } = feedOf({
      ...PLACED,
      [keys.machine("m1")]: { id: "m1" },
      [keys.cordon("m1")]: '{"drain":"slowly"}',
    });
    put(keys.unit("b.service"), unit());
    expect([plan(model, 10), model.draining]).toEqual([[], []]);
    remove(keys.cordon("m1"));
    expect(plan(model, 10)).toMatchObject([{ name: "b.service", to: "m1" }]);
  });
});

describe("a unit whose record can't be read, as after a restart of an engine beside a newer one", () => {
  const W = "f".repeat(40);
  const NEWER = { hash: W, desiredState: "paused", machineID: "m1" };
  const file = (lines: string): string => `[X-Fleet]\n${lines}\n`;
  const machines = {
    [keys.machine("m1")]: { id: "m1", metadata: {} },
    [keys.machine("m2")]: { id: "m2", metadata: {} },
  };
  /** What is decided of a unit with these lines beside that one, first and once its record can be read. */
  const decided = (lines: string, more: object, record: object | string = NEWER, theirs = "") => {
    const { model, put } = feedOf({
      ...{ ...machines, [keys.unitFile("h")]: file(lines), [keys.unitFile(W)]: file(theirs) },
      ...{ [keys.unit("w.service")]: record, [keys.unit("a.service")]: unit(more) },
    });
    const first = plan(model, 10);
    put(keys.unit("w.service"), { ...NEWER, desiredState: "launched" });
    return [first, plan(model, 10)];
  };
  it.each([
    ["MachineOf", "MachineOf=w.service", "m1"],
    ["Conflicts", "Conflicts=w*", "m2"],
  ])("leaves what names it by %s where it is", (_what, lines, on) => {
    expect(decided(lines, { machineID: on })).toEqual([[], []]);
  });
  it("has nothing placed by its absence, until it can be read", () => {
    expect(decided("MachineOf=w.service", {})).toMatchObject([[], [{ name: "a.service", to: "m1" }]]);
    expect(decided("Conflicts=w*", {})).toMatchObject([[], [{ name: "a.service", to: "m2" }]]);
    expect(decided("", {}, NEWER, "Conflicts=a*")).toMatchObject([[], [{ name: "a.service", to: "m2" }]]);
  });
  it("keeps no other unit from being placed, whatever it may ask for", () => {
    expect(decided("", {})[0]).toMatchObject([{ name: "a.service" }]);
    expect(decided("Conflicts=x*", {}, "{broken")[0]).toMatchObject([{ name: "a.service" }]);
  });
  it("holds nothing up once it is destroyed", () => {
    const { model, remove } = feedOf({
      ...{ ...machines, [keys.unitFile("h")]: file("Conflicts=w*"), [keys.unit("w.service")]: NEWER },
      ...{ [keys.unit("a.service")]: unit() },
    });
    expect(plan(model, 10)).toEqual([]);
    remove(keys.unit("w.service"));
    expect(plan(model, 10)).toMatchObject([{ name: "a.service", to: "m1" }]);
  });
});
