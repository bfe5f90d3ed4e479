import { expect, it } from "vitest";
import { FreeRoom } from "./free-room.ts";
import { requirementsOf } from "./testing/clusters.ts";

it("a unit that fitted nowhere is not looked for until room may have come free, or other globs match its name", () => {
  const room = new FreeRoom();
  const [one, other] = [requirementsOf({ name: "a.service" }), requirementsOf({ name: "b.service" })];
  expect(room.isNone(one, "g")).toBe(false);
  room.noteNone(one, "g");
  expect([room.isNone(one, "g"), room.isNone(one, "h"), room.isNone(other, "g")]).toEqual([true, false, false]);
  room.changed();
  expect(room.isNone(one, "g")).toBe(false);
});
