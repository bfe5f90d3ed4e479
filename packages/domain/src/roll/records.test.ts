import { describe, expect, it } from "vitest";
import { begun, decodeRoll, decodeRollProgress, encodeRoll, encodeRollProgress, type RollProgress } from "./index.ts";
import { rollOf } from "./testing/simulated-roll.ts";

describe("a roll in etcd", () => {
  it("reads as it was written", () => {
    const roll = { ...rollOf({ canary: 2, by: "ann", message: "new port" }) };
    const [first] = roll.units;
    const units = first === undefined ? [] : [{ ...first, to: { hash: "new", source: "text" } }];
    expect(decodeRoll(encodeRoll({ ...roll, units }))).toEqual({ ...roll, units });
  });

  it.each([
    ["another kind", { kind: "surge" }],
    ["another policy", { onFailure: "ask" }],
    ["no limit", { maxUnavailable: 0 }],
    ["a canary that is no number", { canary: "some" }],
    ["a unit without a hash", { units: [["a.service", "old", "old", "new"]] }],
    ["a name that is no part of a key", { units: [["a/b", "old", "old", "new", "new"]] }],
  ])("is not understood with %s", (_what, members) => {
    expect(decodeRoll(JSON.stringify({ ...JSON.parse(encodeRoll(rollOf())), ...members }))).toBeNull();
  });

  it("keeps how far it is", () => {
    const progress: RollProgress = {
      ...begun(rollOf()),
      ...{ status: "failed", why: "b.service failed", isPastCanary: true },
      ...{ phases: ["done", "failed", "waiting"], reasons: { "b.service": "failed" } },
    };
    expect(decodeRollProgress(encodeRollProgress(progress))).toEqual(progress);
  });

  it.each(['{"status":"asleep","phases":"w"}', '{"status":"running","phases":"wx"}', '{"status":"running"}', "7"])(
    "%s is no progress that is understood",
    (text) => {
      expect(decodeRollProgress(text)).toBeNull();
    },
  );
});
