import { expect, it } from "vitest";
import { PlacedUnits } from "./placed-units.ts";

const state = (name: string, machineID: string) => ({
  ...{ name, machineID, hash: "", load: "", active: "", sub: "", error: null, current: null, run: null },
});

it("the units of machines are asked for once for all, and stay what they were while nobody answers", async () => {
  let asked = 0;
  const placed = new PlacedUnits(async () => {
    asked++;
    return [state("b.service", "m1"), state("a.service", "m1"), state("c.service", "m2")];
  }, 60_000);
  expect(await Promise.all([placed.on("m1"), placed.on("m2"), placed.on("m3")])).toEqual([
    ["a.service", "b.service"],
    ["c.service"],
    [],
  ]);
  expect(asked).toBe(1);
  let isAway = false;
  const failing = new PlacedUnits(async () => {
    if (isAway) throw new Error("gone");
    return [state("a.service", "m1")];
  }, 0);
  await failing.on("m1");
  isAway = true;
  expect(await failing.on("m1")).toEqual(["a.service"]);
});
