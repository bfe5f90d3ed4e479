import { describe, expect, it } from "vitest";
import { RequirementsCache } from "./requirements-cache.ts";

describe("what unit files ask for", () => {
  it("is read once for all units that have the file", () => {
    const cache = new RequirementsCache();
    const first = cache.of("a@1.service", "h1", "[X-Fleet]\nConflicts=a@*\n");
    expect(first?.conflicts).toEqual(["a@*"]);
    expect(cache.of("a@2.service", "h1", "not read again")).toBe(first);
    expect(cache.of("a@2.service", "h2", "[X-Fleet]\nConflicts=b\n")?.conflicts).toEqual(["b"]);
  });
  it("is read for each unit where it depends on the unit's name", () => {
    const cache = new RequirementsCache();
    const text = "[X-Fleet]\nConflicts=%i\n";
    expect(cache.of("a@1.service", "h", text)?.conflicts).toEqual(["1"]);
    expect(cache.of("a@2.service", "h", text)?.conflicts).toEqual(["2"]);
  });
  it("is null where the file can't be read", () => {
    expect(new RequirementsCache().of("a.service", "h", "[X-Fleet\n")).toBeNull();
  });
});
