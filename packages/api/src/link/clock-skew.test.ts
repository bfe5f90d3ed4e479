import { describe, expect, it } from "vitest";
import { clockSkew, skewText } from "./clock-skew.ts";

describe("a machine's clock", () => {
  it.each([
    ["right", 1_000, 1_100, 1_050, null],
    ["off by less than matters", 10_000, 10_100, 15_000, null],
    ["an hour ahead", 1_000, 1_100, 3_601_100, 3_600_000],
    ["an hour behind", 7_200_000, 7_200_100, 3_600_000, -3_600_000],
    // Thirty seconds on its way: the answer says nothing against the clock.
    ["right, of a machine that answers late", 1_000, 31_000, 1_500, null],
    ["right, of a machine that was asked late", 1_000, 31_000, 30_900, null],
  ])("is %s", (_what, askedAt, heardAt, machineTime, skew) => {
    expect(clockSkew({ askedAt, heardAt, machineTime })).toBe(skew);
  });

  it.each([
    [3_600_400, "1 h ahead of"],
    [-5_460_000, "1 h 31 min behind"],
    [-6_000, "6 s behind"],
    [120_000, "2 min ahead of"],
  ])("that is off by %d ms is told as %s", (skew, text) => expect(skewText(skew)).toBe(text));
});
