import { describe, expect, it } from "vitest";
import { hashText, parseUnitFile, serializeUnitFile } from "../unit/file.ts";
import { NOWHERE, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { Keys } from "./keys.ts";
import { decodeUnit, type UnitRecord } from "./records.ts";
import { checkUnit, type KnownUnit, type PlannedChange, planUnitChange, type UnitChange } from "./unit-change.ts";
import { decodeVersion } from "./unit-versions.ts";

const keys = new Keys("/f/");
const PLAIN = serializeUnitFile(parseUnitFile("[Service]\nExecStart=/bin/a\n"));
const OTHER = serializeUnitFile(parseUnitFile("[Service]\nExecStart=/bin/b\n"));
const PICKY = serializeUnitFile(parseUnitFile("[Service]\nExecStart=/bin/a\n[X-Fleet]\nMachineMetadata=a=1\n"));
const GLOBAL = serializeUnitFile(parseUnitFile("[Service]\nExecStart=/bin/a\n[X-Fleet]\nGlobal=true\n"));
const ON_M1: Whereabouts = { kind: "placed", on: "m1" };

function known(more: Partial<UnitRecord> = {}, text: string | null = PLAIN): KnownUnit {
  const record: UnitRecord = {
    ...{ hash: hashText(text ?? PLAIN), desiredState: "launched", global: false, whereabouts: ON_M1, cause: "it fits" },
    ...more,
  };
  return { record: { ...record, createRevision: 3, modRevision: 5 }, text };
}
const set = (
  text: string | null,
  desiredState: UnitRecord["desiredState"] | null = null,
  name = "a.service",
): UnitChange => ({ kind: "set", name, options: text === null ? null : parseUnitFile(text), desiredState });

/** The unit's record as the transaction writes it; null: it does not. */
function written({ ops }: PlannedChange): UnitRecord | null {
  const op = ops.find((entry) => "put" in entry && entry.put === keys.unit("a.service"));
  return op !== undefined && "put" in op ? decodeUnit(op.value) : null;
}

describe("a unit as a user hands it over", () => {
  const option = { section: "Service", name: "ExecStart", value: "/bin/a" };
  it("is taken", () => expect(() => checkUnit("a.service", [option])).not.toThrow());
  it.each([
    ["under a name that is none", "a", [option], 'unit name "a" is not valid: the name has no type such as .service'],
    ["without options", "a.service", [], "unit a.service has no options: at least one Name=value is needed"],
    ["with an option that can't be written", "a.service", [{ ...option, value: "a\nb" }], "unit a.service: option"],
    [
      "with options that contradict each other",
      "a.service",
      [option, { section: "X-Fleet", name: "OnPartition", value: "x" }],
      "unit a.service: invalid OnPartition=x",
    ],
  ])("%s is refused", (_what, name, options, message) => expect(() => checkUnit(name, options)).toThrow(message));
});

describe("a change of a unit is refused", () => {
  it.each<[what: string, change: UnitChange, known: KnownUnit | null, message: string]>([
    [
      "that would destroy what is not there",
      { kind: "destroy", name: "a.service" },
      null,
      "unit a.service does not exist",
    ],
    ["under a name that is none", set(null, "launched", "a"), null, 'unit name "a" is not valid'],
    [
      "without options of a unit that is not there",
      set(null, "launched"),
      null,
      "does not exist and options field empty",
    ],
    ["that changes nothing", set(null), known(), "unit a.service exists: must provide desiredState"],
    ["with the options that it has and no desired state", set(PLAIN), known(), "must provide desiredState"],
    ["that would start a template", set(PLAIN, "launched", "a@.service"), null, "is a template: it can't be launched"],
    ["that would load a template", set(null, "loaded", "a@.service"), known(), "is a template: it can't be loaded"],
    ["with a version that can't be", set("[X-Fleet]\nOnPartition=x\n"), known(), "invalid OnPartition=x"],
  ])("%s", (_what, change, before, message) => {
    expect(() => planUnitChange(keys, change, before)).toThrow(message);
  });
});

describe("a unit that is not there", () => {
  it("is created, with its file, and only if it still is not there", () => {
    const plan = planUnitChange(keys, set(PLAIN, "launched"), null);
    expect(plan).toMatchObject({ compare: { key: keys.unit("a.service"), modRevision: 0 }, outcome: "created" });
    expect(plan.ops).toContainEqual({ put: keys.unitFile(hashText(PLAIN)), value: PLAIN });
    expect(written(plan)).toEqual({
      ...{
        hash: hashText(PLAIN),
        section: "",
        desiredState: "launched",
        global: false,
        whereabouts: NOWHERE,
        cause: null,
      },
      version: 1,
    });
  });
  it("is inactive where nothing else is said", () => {
    expect(written(planUnitChange(keys, set(PLAIN), null))?.desiredState).toBe("inactive");
  });
  it("may be a template as long as it is inactive", () => {
    expect(planUnitChange(keys, set(PLAIN, "inactive", "a@.service"), null).outcome).toBe("created");
  });
  it("is told to every agent where it is global", () => {
    const plan = planUnitChange(keys, set(GLOBAL, "launched"), null);
    expect(written(plan)?.global).toBe(true);
    expect(plan.ops).toContainEqual({ put: keys.global("a.service"), value: expect.any(String) });
  });
});

describe("a unit that is there", () => {
  it("is destroyed with what its machine was told, if it still is as known", () => {
    expect(planUnitChange(keys, { kind: "destroy", name: "a.service" }, known())).toEqual({
      compare: { key: keys.unit("a.service"), modRevision: 5 },
      ops: [{ delete: keys.unit("a.service") }, { delete: keys.schedule("m1", "a.service") }],
      outcome: "destroyed",
    });
  });
  it.each([
    ["with the state that it has", set(null, "launched")],
    ["with the options and the state that it has", set(PLAIN, "launched")],
  ])("stays as it is %s", (_what, change) => {
    expect(planUnitChange(keys, change, known())).toEqual({
      ...{ compare: { key: keys.unit("a.service"), modRevision: 5 }, ops: [], outcome: "unchanged" },
    });
  });
  it("stays where it is when it is to be loaded only", () => {
    const plan = planUnitChange(keys, set(null, "loaded"), known());
    expect(plan).toMatchObject({ compare: { modRevision: 5 }, outcome: "changed" });
    expect(written(plan)).toMatchObject({ desiredState: "loaded", whereabouts: ON_M1, cause: "it fits" });
  });
  it("is nowhere when it is to be inactive", () => {
    const plan = planUnitChange(keys, set(null, "inactive"), known());
    expect(plan.outcome).toBe("changed");
    expect(written(plan)).toMatchObject({ desiredState: "inactive", whereabouts: NOWHERE, cause: null });
    expect(plan.ops).toContainEqual({ delete: keys.schedule("m1", "a.service") });
  });
  it("under a name that was valid once can still be changed", () => {
    expect(planUnitChange(keys, set(null, "inactive", "old name"), known()).outcome).toBe("changed");
  });
});

describe("a new version of a unit", () => {
  const ANEW: Whereabouts = { kind: "nowhere", last: "m1", preferred: null };
  it.each<[what: string, change: UnitChange, known: KnownUnit, whereabouts: Whereabouts, cause: string | null]>([
    ["stays where it asks for the same", set(OTHER), known(), ON_M1, "it fits"],
    ["is placed anew where it asks for something else", set(PICKY), known(), ANEW, null],
    ["is placed anew where the old file is not known", set(OTHER), known({ hash: "h0" }, null), ANEW, null],
    [
      "stays where the old record tells the same",
      set(OTHER),
      known({ hash: "h0", section: "" }, null),
      ON_M1,
      "it fits",
    ],
    [
      "is placed anew where the old record tells something else",
      ...([set(OTHER), known({ section: "[X-Fleet]\nMachineMetadata=a=1\n" }), ANEW, null] as const),
    ],
    ["is nowhere where it is to be inactive", set(OTHER, "inactive"), known(), NOWHERE, null],
    ["is nowhere where it becomes global", set(GLOBAL), known(), NOWHERE, null],
    [
      "with the same requirements, of a unit that waits, leaves it its first choice",
      set(OTHER),
      known({ whereabouts: ANEW, cause: null }),
      ANEW,
      null,
    ],
    [
      "of a unit that was inactive stays nowhere",
      set(OTHER, "launched"),
      known({ desiredState: "inactive", whereabouts: NOWHERE, cause: null }),
      NOWHERE,
      null,
    ],
  ])("%s", (_what, change, before, whereabouts, cause) => {
    const plan = planUnitChange(keys, change, before);
    expect(plan).toMatchObject({ compare: { key: keys.unit("a.service"), modRevision: 5 }, outcome: "replaced" });
    expect(written(plan)).toMatchObject({ whereabouts, cause });
  });
  it("keeps the desired state that the unit has", () => {
    expect(written(planUnitChange(keys, set(OTHER), known({ desiredState: "loaded" })))?.desiredState).toBe("loaded");
  });
});

describe("the text as its user wrote it", () => {
  const WRITTEN = "# why\n[Service]\nExecStart = /bin/a\r\n";
  const withText = (text: string, desiredState: UnitRecord["desiredState"] | null = null): UnitChange => ({
    ...{ kind: "set", name: "a.service", options: parseUnitFile(PLAIN), desiredState, text },
  });
  const sourceOp = { put: keys.source(hashText(WRITTEN)), value: WRITTEN };
  const source = hashText(WRITTEN);
  it("is kept beside the file, whose hash stays that of the unit's meaning", () => {
    const plan = planUnitChange(keys, withText(WRITTEN), null);
    expect(plan.ops).toContainEqual(sourceOp);
    expect(plan.ops).toContainEqual({ put: keys.unitFile(hashText(PLAIN)), value: PLAIN });
    expect(written(plan)).toMatchObject({ hash: hashText(PLAIN), source });
  });
  it("is not kept twice where it is the file itself", () => {
    const plan = planUnitChange(keys, withText(PLAIN), null);
    expect([plan.ops.length, written(plan)?.source]).toEqual([2, undefined]);
  });
  it("is replaced by another one of the same unit, and nothing else changes", () => {
    const before = known({ ended: true });
    const plan = planUnitChange(keys, withText(WRITTEN, "launched"), before);
    expect([plan.outcome, plan.ops.length]).toEqual(["changed", 2]);
    expect(plan.ops).toContainEqual(sourceOp);
    const { createRevision, modRevision, ...record } = before.record;
    expect([createRevision, modRevision, written(plan)]).toEqual([3, 5, { ...record, source, version: 1 }]);
    expect(planUnitChange(keys, withText(WRITTEN, "launched"), known({ source })).outcome).toBe("unchanged");
    expect(written(planUnitChange(keys, withText(PLAIN, "launched"), known({ source })))?.source).toBeUndefined();
  });
  it("stays when the same options or none come without one, and goes with other options", () => {
    const before = known({ source });
    expect(planUnitChange(keys, set(PLAIN, "launched"), before).outcome).toBe("unchanged");
    expect(written(planUnitChange(keys, set(PLAIN, "loaded"), before))?.source).toBe(source);
    expect(written(planUnitChange(keys, set(null, "inactive"), before))?.source).toBe(source);
    expect(written(planUnitChange(keys, set(OTHER), before))?.source).toBeUndefined();
  });
  it.each([
    ["that means another unit", WRITTEN.replace("/bin/a", "/bin/b"), "it has other options than those given with it"],
    ["that can't be read", "[Service\nExecStart=/bin/a\n", 'line 1: the section "[Service" has no closing ]'],
    ["that is no Unicode", `# \ud800\n${PLAIN}`, "line 1: the text is not valid UTF-8"],
  ])("is refused where it is one %s", (_what, text, why) => {
    expect(() => planUnitChange(keys, withText(text), null)).toThrow(
      `the text of unit a.service can't be kept: ${why}`,
    );
  });
  it("is refused without options", () => {
    const change: UnitChange = { ...withText(WRITTEN, "loaded"), options: null } as UnitChange;
    expect(() => planUnitChange(keys, change, known())).toThrow("the text of unit a.service came without options");
  });
});

describe("the machine that a unit is to be tried on first", () => {
  const preferring = (text: string, desiredState: UnitRecord["desiredState"] | null = null): UnitChange => ({
    ...{ kind: "set", name: "a.service", options: parseUnitFile(text), desiredState, prefers: "m2" },
  });
  it("is noted with a new unit, and kept when it is started", () => {
    const created = written(planUnitChange(keys, preferring(PLAIN), null));
    expect(created?.whereabouts).toEqual({ kind: "nowhere", last: "m2", preferred: null });
    const started = planUnitChange(keys, set(null, "launched"), known({ ...created, desiredState: "inactive" }));
    expect(written(started)?.whereabouts).toEqual({ kind: "nowhere", last: "m2", preferred: null });
    expect(written(planUnitChange(keys, preferring(PLAIN, "launched"), null))?.whereabouts).toMatchObject({
      last: "m2",
    });
  });
  it("says nothing of a global unit, nor of one that is there", () => {
    expect(written(planUnitChange(keys, preferring(GLOBAL), null))?.whereabouts).toEqual(NOWHERE);
    expect(written(planUnitChange(keys, preferring(OTHER), known()))?.whereabouts).toEqual(ON_M1);
  });
});

describe("a unit's history", () => {
  const stamp = { id: "id", at: "2026-01-01T00:00:00.000Z", by: "ops", message: "why" };
  const kept = (change: UnitChange, before: KnownUnit | null) =>
    planUnitChange(keys, change, before, stamp).ops.flatMap((op): unknown[] => {
      if (!("put" in op)) return [];
      if (op.put === keys.version("a.service", "id")) return [decodeVersion(op.value)];
      return op.put.startsWith(keys.source("")) ? [[op.put, op.value]] : [];
    });
  const { id: _id, ...told } = stamp;
  const oldText = [keys.source(hashText(PLAIN)), PLAIN];
  it("gets each text with its number, and keeps the text before, whose file goes", () => {
    const [plain, other] = [hashText(PLAIN), hashText(OTHER)];
    expect(kept(set(PLAIN), null)).toEqual([{ kind: "version", number: 1, hash: plain, source: plain, ...told }]);
    expect(kept(set(OTHER), known({ version: 7 }))).toEqual([
      { kind: "version", number: 8, hash: other, source: other, ...told },
      oldText,
    ]);
    expect(kept(set(OTHER), known({ source: "s" }))).toHaveLength(1);
    expect(written(planUnitChange(keys, set(OTHER), known({ version: 7 })))?.version).toBe(8);
  });
  it("gets the end of the unit, with its last text", () => {
    const hash = hashText(PLAIN);
    expect(kept({ kind: "destroy", name: "a.service" }, known({ version: 7 }))).toEqual([
      { kind: "destroyed", number: 7, hash, source: hash, ...told },
      oldText,
    ]);
  });
  it("gets nothing of a change that leaves the text as it is, nor without a stamp", () => {
    expect(kept(set(null, "inactive"), known())).toEqual([]);
    expect(kept(set(PLAIN, "launched"), known())).toEqual([]);
    expect(planUnitChange(keys, set(PLAIN), null).ops).toHaveLength(2);
  });
});

describe("a unit that must not run twice at once, of whose name a machine still has one", () => {
  const STOPPED = serializeUnitFile(
    parseUnitFile("[Service]\nExecStart=/bin/a\n[X-Fleet]\nOnPartition=stop\nMachineMetadata=a=1\n"),
  );
  const held = (change: UnitChange): UnitChange => ({ ...change, heldBy: "m7" }) as UnitChange;
  const leaving = (last: string | null) => ({ kind: "leaving", from: "m7", last, preferred: null });
  it("leaves that machine before it is placed: where it is new, placed anew, or started again", () => {
    expect(written(planUnitChange(keys, held(set(STOPPED, "launched")), null))?.whereabouts).toEqual(leaving(null));
    const replaced = planUnitChange(keys, held(set(STOPPED)), known());
    expect(written(replaced)?.whereabouts).toEqual(leaving("m1"));
    const unloaded = known({ desiredState: "inactive", whereabouts: NOWHERE }, STOPPED);
    expect(written(planUnitChange(keys, held(set(null, "launched")), unloaded))?.whereabouts).toEqual(leaving(null));
  });
  it("stays where it is placed, and is nowhere while it is inactive; others don't wait", () => {
    const placed = known({ desiredState: "loaded" }, STOPPED);
    expect(written(planUnitChange(keys, held(set(null, "launched")), placed))?.whereabouts).toEqual(ON_M1);
    expect(written(planUnitChange(keys, held(set(STOPPED)), null))?.whereabouts).toEqual(NOWHERE);
    expect(written(planUnitChange(keys, held(set(PICKY, "launched")), null))?.whereabouts).toEqual(NOWHERE);
  });
});
