import { expect, it } from "vitest";
import { SpreadCounts } from "./spread-counts.ts";

it("units that are spread are counted by template, others by themselves, on each machine", () => {
  const counts = new SpreadCounts();
  for (const [name, machine] of [
    ["w@1.service", "m1"],
    ["w@2.service", "m1"],
    ["w@3.service", "m2"],
    ["x.service", "m1"],
  ] as const)
    counts.count(name, machine, 1);
  expect([...counts.of("w@9.service")]).toEqual([
    ["m1", 2],
    ["m2", 1],
  ]);
  expect([...counts.of("x.service")]).toEqual([["m1", 1]]);
  expect([...counts.of("y.service")]).toEqual([]);
  counts.count("w@3.service", "m2", -1);
  expect([...counts.of("w@9.service")]).toEqual([["m1", 2]]);
  counts.count("x.service", "m1", -1);
  expect([...counts.of("x.service")]).toEqual([]);
});
