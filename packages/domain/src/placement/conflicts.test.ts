import { describe, expect, it } from "vitest";
import { matchesMachineID, mergeMetadata } from "../cluster/machine.ts";
import { parseUnitFile } from "../unit/file.ts";
import { readRequirements } from "../unit/requirements.ts";
import { conflicts, globalsOn } from "./conflicts.ts";
import { meets, metadataFits, unmetBound, unmetMetadata } from "./metadata-fit.ts";

const requirements = (lines: string, name = "foo@bar.service") =>
  readRequirements(name, parseUnitFile(`[X-Fleet]\n${lines}`));

describe("fitting a machine", () => {
  it("wants one value of every key", () => {
    const wanted = requirements("MachineMetadata=a=1\nMachineMetadata=a=2\nMachineMetadata=b=3\n");
    expect(metadataFits(wanted, { a: "2", b: "3" })).toBe(true);
    expect(metadataFits(wanted, { a: "2" })).toBe(false);
    expect(metadataFits(wanted, { a: "3", b: "3" })).toBe(false);
    expect(metadataFits(requirements("MachineMetadata=constructor=x\n"), {})).toBe(false);
  });
  it.each([
    ["a=1", { a: "1" }, true],
    ["a=1", { a: "2" }, false],
    ["a!=1", { a: "1" }, false],
    ["a!=1", { a: "2" }, true],
    ["a!=1", {}, true],
    ["a>=2", { a: "2" }, true],
    ["a>=2", { a: "10" }, true],
    ["a>=2", { a: "1" }, false],
    ["a<=2", { a: "2" }, true],
    ["a<=2", { a: "1" }, true],
    ["a<=2", { a: "10" }, false],
    ["a>=2", { a: "many" }, false],
    ["a<=2", { a: "" }, false],
    ["a>=0", {}, false],
    ["constructor!=x", {}, true],
  ])("%s holds on %j: %s", (condition, metadata, holds) => {
    const wanted = requirements(`PreferMetadata=${condition}\n`).preferences?.metadata ?? [];
    expect(wanted.map((test) => meets(test, metadata))).toEqual([holds]);
  });
  it("says which metadata a machine lacks first, plain and bounds", () => {
    const wanted = requirements(
      "MachineMetadata=a=1\nMachineMetadata=b=2\nMachineMetadata=c>=3\nMachineMetadata=d!=4\n",
    );
    expect(unmetMetadata(wanted, { a: "1" })).toEqual({ key: "b", values: ["2"] });
    expect(unmetMetadata(wanted, { a: "1", b: "2" })).toBeNull();
    expect(unmetBound(wanted, { c: "3", d: "4" })).toEqual({ key: "d", operator: "!=", value: "4" });
    expect(unmetBound(wanted, { c: "3" })).toBeNull();
    expect(metadataFits(wanted, { a: "1", b: "2", c: "2" })).toBe(false);
    expect(metadataFits(wanted, { a: "1", b: "2", c: "3" })).toBe(true);
  });
  it("runs of two global units of one age the first by name, whatever the order in which they are known", () => {
    const unit = (name: string) => ({ name, requirements: requirements("Conflicts=*", name), createRevision: 1 });
    const running = (...names: readonly string[]) => globalsOn(names.map(unit), {}, []).map(({ name }) => name);
    expect([running("a.service", "b.service"), running("b.service", "a.service")]).toEqual([
      ["a.service"],
      ["a.service"],
    ]);
  });
  it("knows machines by their full and their short ID", () => {
    const id = "0123456789abcdef0123456789abcdef";
    expect(matchesMachineID(id, id)).toBe(true);
    expect(matchesMachineID("01234567", id)).toBe(true);
    expect(matchesMachineID("0123456", id)).toBe(false);
  });
  it("sees conflicts in both directions, and none of a unit with itself", () => {
    const a = { name: "a.service", requirements: { conflicts: ["b*"] } };
    const b = { name: "b.service", requirements: { conflicts: [] } };
    expect(conflicts(a, b)).toBe(true);
    expect(conflicts(b, a)).toBe(true);
    expect(conflicts({ ...a, requirements: { conflicts: ["*"] } }, a)).toBe(false);
  });
  it("lays dynamic metadata over the configured one; an empty value removes the key", () => {
    expect(
      mergeMetadata(
        { a: "1", b: "2" },
        new Map([
          ["a", { value: "" }],
          ["c", { value: "3" }],
        ]),
      ),
    ).toEqual({ b: "2", c: "3" });
  });
  it("runs global units where they fit; they give way to what is scheduled there and to older ones", () => {
    const unit = (name: string, lines: string, createRevision: number) => ({
      name,
      requirements: requirements(lines, name),
      createRevision,
    });
    const globals = [
      unit("g1.service", "MachineMetadata=a=1", 5),
      unit("g2.service", "Conflicts=s*", 3),
      unit("g3.service", "Conflicts=g1*", 9),
    ];
    const names = (metadata: Record<string, string>, scheduled: string[]): string[] =>
      globalsOn(
        globals,
        metadata,
        scheduled.map((name) => unit(name, "", 0)),
      ).map(({ name }) => name);
    expect(names({ a: "1" }, [])).toEqual(["g2.service", "g1.service"]);
    expect(names({}, [])).toEqual(["g2.service", "g3.service"]);
    expect(names({}, ["s.service"])).toEqual(["g3.service"]);
  });
});
