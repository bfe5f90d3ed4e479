import { hashUnitFile } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { Copies } from "./copies.ts";
import { Judge } from "./judge.ts";
import { SETTLE_MS } from "./verdict.ts";

const unit: UnitInfo = {
  ...{ name: "g.service", options: [], desiredState: "launched", currentState: null, machineID: null },
  hasEnded: false,
};
const copy = (machineID: string, active: string): StateInfo => ({
  ...{ name: "g.service", hash: hashUnitFile([]), machineID, load: "loaded", active, sub: "-" },
  ...{ error: null, current: "launched", run: null },
});

function start() {
  const copies = new Copies();
  const judge = new Judge({ state: "launched", systemd: "up" });
  return {
    copies,
    take: (states: readonly StateInfo[], now: number) =>
      copies.take(unit, states, judge, now).map(({ machineID }) => machineID),
  };
}

it("copies have settled when each is up, on as many machines as are to have one", () => {
  const { copies, take } = start();
  const states = [copy("m1", "active"), copy("m2", "activating")];
  take(states, 0);
  expect(copies.areSettled(states, 2)).toBe(false);
  const up = [copy("m1", "active"), copy("m2", "active")];
  take(up, 1_000);
  expect(copies.areSettled(up, 3)).toBe(false);
  expect(copies.areSettled(up, 2)).toBe(true);
});

it("a copy in trouble is told of once, and counts as settled", () => {
  const { copies, take } = start();
  const states = [copy("m1", "failed")];
  expect(take(states, 0)).toEqual([]);
  expect(take(states, SETTLE_MS.failed)).toEqual(["m1"]);
  expect(take(states, SETTLE_MS.failed + 1)).toEqual([]);
  expect(take(states, SETTLE_MS.failed * 3)).toEqual([]);
  expect(copies.areSettled(states, 1)).toBe(true);
});

it("a copy that was up and starts anew has not settled", () => {
  const { copies, take } = start();
  take([copy("m1", "active")], 0);
  const again = [copy("m1", "activating")];
  take(again, 1_000);
  expect(copies.areSettled(again, 1)).toBe(false);
});

it("a copy that its machine does not report any more does not count", () => {
  const { copies, take } = start();
  take([copy("m1", "active"), copy("m2", "active")], 0);
  const left = [copy("m1", "active")];
  take(left, 1_000);
  expect(copies.areSettled(left, 2)).toBe(false);
  expect(copies.areSettled(left, 1)).toBe(true);
});
