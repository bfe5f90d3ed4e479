import { describe, expect, it } from "vitest";
import { GlobIndex } from "./glob-index.ts";

describe("globs over placed units", () => {
  it("know machines with units that they match, whichever came first", () => {
    const placed = new Map([["a@1", "m1"]]);
    const globs = new GlobIndex(placed);
    expect([globs.isUnused, globs.matching("a@1")]).toEqual([true, []]);
    globs.use(["a@*", "b*"]);
    expect(globs.isUnused).toBe(false);
    expect([...globs.machinesMatched("a@*")]).toEqual([["m1", 1]]);
    globs.count("a@2", [], "m1", 1);
    globs.count("a@3", [], "m2", 1);
    expect([...globs.machinesMatched("a@*")]).toEqual([
      ["m1", 2],
      ["m2", 1],
    ]);
    globs.count("a@3", [], "m2", -1);
    expect([...globs.machinesMatched("a@*")]).toEqual([["m1", 2]]);
    expect([...globs.machinesMatched("b*")]).toEqual([]);
    expect([...globs.machinesMatched("unknown")]).toEqual([]);
  });
  it("know machines with units that have them", () => {
    const globs = new GlobIndex();
    globs.use(["x*"]);
    globs.count("a", ["x*"], "m1", 1);
    globs.count("b", ["x*"], "m1", 1);
    expect([...globs.machinesOwning("x*")]).toEqual([["m1", 2]]);
    globs.count("a", ["x*"], "m1", -1);
    globs.count("b", ["x*"], "m1", -1);
    expect([...globs.machinesOwning("x*"), ...globs.machinesOwning("y*")]).toEqual([]);
  });
  it("are known as long as a unit uses them", () => {
    const globs = new GlobIndex();
    globs.use(["a*"]);
    globs.use(["a*"]);
    expect(globs.matching("ab")).toEqual(["a*"]);
    globs.drop(["a*", "unknown"]);
    expect(globs.matching("ab")).toEqual(["a*"]);
    globs.use(["ab"]);
    expect(globs.matching("ab")).toEqual(["a*", "ab"]);
    globs.drop(["a*"]);
    expect(globs.matching("ab")).toEqual(["ab"]);
    globs.drop(["ab"]);
    expect([globs.isUnused, globs.matching("ab")]).toEqual([true, []]);
  });
});
