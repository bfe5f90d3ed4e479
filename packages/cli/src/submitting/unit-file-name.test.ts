import { expect, it } from "vitest";
import { unitFileNameProblem } from "./unit-file-name.ts";

it.each([
  ["x/app.service", null],
  ["app", null],
  ["x.d/app", null],
  ["app@1.timer", null],
  [
    "app.container",
    "app.container is a Quadlet file, no unit: have podman's generator make a service of it, and submit that",
  ],
  [
    "x.service.d/override.conf",
    "x.service.d/override.conf is a drop-in, no unit: put its options into the unit's own file, and submit that",
  ],
  ["app.yml", "app.yml is no unit file: expected a name that ends in a unit's type, as in app.yml.service"],
  ["app.conf", "app.conf is no unit file: expected a name that ends in a unit's type, as in app.conf.service"],
])("of %s the name says %j", (path, problem) => {
  expect(unitFileNameProblem(path)).toBe(problem);
});
