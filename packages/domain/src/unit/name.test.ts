import { describe, expect, it } from "vitest";
import { expandUnitName, isTemplateName, parseUnitName, refusedNameProblem, unitNameProblem } from "./name.ts";
import { analyze } from "./testing/analyze.ts";

describe("names", () => {
  it.each([
    "foo.service",
    "foo@.service",
    "foo@bar.service",
    "a@b@c.timer",
    "a\\x2db.mount",
    `${"x".repeat(248)}.service`,
  ])("takes %s", (name) => expect(unitNameProblem(name)).toBeNull());
  it.each([
    ["", "empty"],
    ["foo", "no type"],
    ["foo.", "ends in a dot"],
    ["@foo.service", "starts with @"],
    [".service", "nothing before the type"],
    ["foo.exe", "not a unit type"],
    ["foo bar.service", "only letters"],
    ["fo/o.service", "only letters"],
    ["foo@bar.mount", "template or an instance"],
    [`${"x".repeat(249)}.service`, "longer than 256"],
  ])("refuses %j, saying why", (name, reason) => expect(unitNameProblem(name)).toContain(reason));
  it("takes names apart at the first @ and the last dot", () => {
    expect(parseUnitName("foo@b@r.x.service")).toEqual({
      full: "foo@b@r.x.service",
      name: "foo@b@r.x",
      prefix: "foo",
      instance: "b@r.x",
      template: "foo@.service",
      type: "service",
    });
    expect(isTemplateName("foo@.service")).toBe(true);
    expect(isTemplateName("foo@a.service")).toBe(false);
    expect(isTemplateName("foo.service")).toBe(false);
  });
  it("has a plain name as its own prefix, without instance and template", () => {
    expect(parseUnitName("foo.bar.timer")).toEqual({
      ...{ full: "foo.bar.timer", name: "foo.bar", prefix: "foo.bar", instance: null, template: null, type: "timer" },
    });
  });
  it("takes nothing apart that is no name", () => expect(parseUnitName("foo.exe")).toBeNull());
  it.each([
    ["foo@.service", true],
    ["foo@a@.service", false],
    ["foo@.x.service", false],
    ["foo@.mount", false],
    ["foo@.", false],
  ])("%s is a template's: %s", (name, isTemplate) => expect(isTemplateName(name)).toBe(isTemplate));
  it.each(["automount", "busname", "device", "mount", "scope", "slice", "snapshot", "swap"])(
    "of type %s are never those of templates",
    (type) => {
      expect(unitNameProblem(`a.${type}`)).toBeNull();
      expect(unitNameProblem(`a@.${type}`)).toBe(`a ${type} unit can't be a template or an instance`);
    },
  );
  it.each(["path", "service", "socket", "target", "timer"])("of type %s may be those of templates", (type) => {
    expect(unitNameProblem(`a@.${type}`)).toBeNull();
  });
  it.each(["foo.service ", " foo.service", "fo\no.service", "foo.ser/vice"])(
    "refuses %j for its characters",
    (name) => {
      expect(unitNameProblem(name)).toContain("only letters, digits");
    },
  );
  it.each([
    ["foo", "foo.service"],
    ["foo@1", "foo@1.service"],
    ["./units/foo.timer", "foo.timer"],
    ["foo.bar", "foo.bar.service"],
    ["service", "service.service"],
    ["a/b/c.socket", "c.socket"],
    ["foo.service", "foo.service"],
  ])("expands %s to %s", (typed, name) => expect(expandUnitName(typed)).toBe(name));
});

it("the longest name of a template's instance is what systemd takes: its slice has a name too", () => {
  const names = [
    "x".repeat(235),
    `a${"-".repeat(60)}`,
    `a${"-".repeat(61)}`,
    `a${"\\".repeat(60)}`,
    `a${"\\".repeat(61)}`,
  ].map((prefix) => `${prefix}@a.service`);
  const files = new Map(names.map((name) => [name, "[Service]\nExecStart=/bin/true\n"]));
  const said = analyze(files, true);
  const refused = names.filter((name) => said.get(name)?.some((line) => line.includes("failed to load properly")));
  expect(names.filter((name) => refusedNameProblem(name) !== null)).toEqual(refused);
  expect(refused).toHaveLength(2);
});

describe("a unit is not taken under a name", () => {
  it.each([
    ["foo", "no type"],
    ["fleet.service", "one of fleet's own daemons"],
    ["fleet-fence.service", "one of fleet's own daemons"],
    ["fleet-fence-spare.timer", "one of fleet's own daemons"],
    ["fleet-fence.timer", "one of fleet's own daemons"],
    ["-.slice", "never stops it"],
    ["system.slice", "never stops it"],
    ["-.mount", "never stops it"],
    ["a.snapshot", "a snapshot unit can't be run from a file"],
    ["a.busname", "a busname unit can't be run from a file"],
    ["a.scope", "scopes are made by programs that run"],
    [`${"x".repeat(244)}.service`, "the name has 252 bytes, more than the 251"],
    [`${"-".repeat(61)}@a.service`, "its slice system-"],
  ])("like %s", (name, reason) => expect(refusedNameProblem(name)).toContain(reason));
  it.each([
    ...["a.service", "fleet-dashboard.service", "fleet.timer", "fleet-fences.service", "a.device", "fleet@1.service"],
    ...[`${"x".repeat(243)}.service`, `${"-".repeat(60)}@a.service`],
  ])("other than %s", (name) => expect(refusedNameProblem(name)).toBeNull());
});
