import { expect, it } from "vitest";
import { unitFileNameProblem } from "./unit-file-name.ts";

it.each([
  ["x/app.service", null],
  ["app", null],
  ["x.d/app", null],
  ["app@1.timer", null],
  [
    "app.container",
    "app.container is a Quadlet file, not a unit: generate a service from it with podman's generator, and submit that",
  ],
  [
    "x.service.d/override.conf",
    "x.service.d/override.conf is a drop-in, not a unit: put its options into the unit's own file, and submit that",
  ],
  ["app.yml", "app.yml is not a unit file: expected a name that ends in a unit type, as in app.yml.service"],
  ["app.conf", "app.conf is not a unit file: expected a name that ends in a unit type, as in app.conf.service"],
])("of %s the name says %j", (path, problem) => {
  expect(unitFileNameProblem(path)).toBe(problem);
});
