import { describe, expect, it } from "vitest";
import { isOlder, newer } from "./version.ts";

describe("versions", () => {
  it("knows which version is newer", () => {
    expect([
      isOlder("2.0.0", "2.0.1"),
      isOlder("2.10.0", "2.9.9"),
      isOlder("2.0.0", null),
      isOlder(null, "1.0.0"),
    ]).toEqual([true, false, false, true]);
    expect(newer(newer(null, "1.0.0"), "v1.0.2")).toBe("v1.0.2");
  });
});
