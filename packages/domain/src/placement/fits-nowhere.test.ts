import { expect, it } from "vitest";
import { FitsNowhere } from "./fits-nowhere.ts";
import { requirementsOf } from "./testing/clusters.ts";

it("a unit that fitted nowhere is not looked for until room may have come free, or other globs match its name", () => {
  const known = new FitsNowhere();
  const [one, other] = [requirementsOf({ name: "a.service" }), requirementsOf({ name: "b.service" })];
  expect(known.has(one, "g")).toBe(false);
  known.note(one, "g");
  expect([known.has(one, "g"), known.has(one, "h"), known.has(other, "g")]).toEqual([true, false, false]);
  known.clear();
  expect(known.has(one, "g")).toBe(false);
});
