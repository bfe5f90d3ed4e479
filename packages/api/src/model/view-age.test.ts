import { expect, it } from "vitest";
import { ViewAge } from "./view-age.ts";

it("a view that was never up to date has no age", () => {
  const age = new ViewAge();
  age.note(false, 1_000);
  expect(age.seconds(9_000)).toBe(null);
});
it("the age counts from etcd's last answer while the view was followed, rounded up", () => {
  const age = new ViewAge();
  age.note(true, 1_000);
  age.note(true, 2_500);
  expect([age.seconds(2_500), age.seconds(2_501), age.seconds(9_000)]).toEqual([0, 1, 7]);
});
it("an answer of etcd's to others does not make a view younger that is no longer followed", () => {
  const age = new ViewAge();
  age.note(true, 1_000);
  age.note(false, 8_000);
  expect(age.seconds(9_000)).toBe(8);
});
