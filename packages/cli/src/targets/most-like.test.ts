import { expect, it } from "vitest";
import { mostLike } from "./most-like.ts";

const units = ["web.service", "web@1.service", "database.service", "a.service"];

it.each([
  ["wbe.service", "web.service"],
  ["webb.service", "web.service"],
  ["databse.service", "database.service"],
  ["dtabaes.service", "database.service"],
  ["web@2.service", "web@1.service"],
  ["web.timer", null],
  ["cache.service", null],
  ["b.service", "a.service"],
  ["", null],
])("of units, %j is most like %j", (typed, meant) => {
  expect(mostLike(typed, units)).toBe(meant);
});
