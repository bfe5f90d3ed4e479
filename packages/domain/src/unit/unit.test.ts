import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesMachineID, mergeMetadata } from "../cluster/machine.ts";
import { conflicts, globalsOn, metadataFits } from "../placement/fit.ts";
import {
  checkRequirements,
  expandUnitName,
  globMatches,
  isTemplateName,
  parseUnitFile,
  parseUnitName,
  readRequirements,
  unitNameProblem,
  unknownFleetOptions,
} from "./index.ts";

const requirements = (lines: string, name = "foo@bar.service") =>
  readRequirements(name, parseUnitFile(`[X-Fleet]\n${lines}`));

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
  it.each([
    ["foo", "foo.service"],
    ["foo@1", "foo@1.service"],
    ["./units/foo.timer", "foo.timer"],
    ["foo.bar", "foo.bar.service"],
  ])("expands %s to %s", (typed, name) => expect(expandUnitName(typed)).toBe(name));
});

describe("globs", () => {
  it.each([
    ["*", "foo.service", true],
    ["foo*", "foo.service", true],
    ["f?o.service", "foo.service", true],
    ["[a-f]oo.service", "foo.service", true],
    ["[^a-e]oo.service", "foo.service", true],
    ["[^f]oo.service", "foo.service", false],
    ["foo\\*", "foo*", true],
    ["foo\\*", "foox", false],
    ["", "", true],
    ["[", "[", false],
    ["[]a]", "]", false],
    ["a[", "a", false],
    ["\\", "\\", false],
    ["[a-]", "a", false],
    ["foo@*.service", "foo@.service", true],
  ])("%j on %j: %s", (glob, name, matches) => expect(globMatches(glob, name)).toBe(matches));
  it("take no longer than length times length, whatever the pattern", () => {
    const startedAt = performance.now();
    expect(globMatches(`${"*a".repeat(200)}b`, "a".repeat(250))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
  it("agree with a plain definition", () => {
    const plain = (glob: string, name: string): boolean => {
      if (glob === "") return name === "";
      if (glob[0] === "*") return plain(glob.slice(1), name) || (name !== "" && plain(glob, name.slice(1)));
      return name !== "" && (glob[0] === "?" || glob[0] === name[0]) && plain(glob.slice(1), name.slice(1));
    };
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,8}$/), fc.stringMatching(/^[ab]{0,8}$/), (glob, name) => {
        expect(globMatches(glob, name)).toBe(plain(glob, name));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("requirements", () => {
  it("reads every option, in its present and its deprecated spelling", () => {
    expect(requirements("MachineID=abc\n").machineID).toBe("abc");
    expect(requirements("X-ConditionMachineID=abc\n").machineID).toBe("abc");
    expect(requirements("X-ConditionMachineBootID=abc\n").machineID).toBe("abc");
    expect(requirements("MachineOf=a.service\nX-ConditionMachineOf=b.service\n").machineOf.toSorted()).toEqual([
      "a.service",
      "b.service",
    ]);
    expect(requirements("Conflicts=a* b*\nX-Conflicts=c*\n").conflicts.toSorted()).toEqual(["a*", "b*", "c*"]);
    expect(requirements("Replaces=a*\n").replaces).toEqual(["a*"]);
    expect(requirements("X-ConditionMachineMetadata=a=b\n").metadata).toEqual([{ key: "a", values: ["b"] }]);
  });
  it("takes quoted words as a list, and several values for a key as alternatives", () => {
    expect(requirements('MachineMetadata="region=us-east-1" "disk=ssd"\nMachineMetadata=disk=nvme\n').metadata).toEqual(
      [
        { key: "region", values: ["us-east-1"] },
        { key: "disk", values: ["ssd", "nvme"] },
      ],
    );
  });
  it("ignores metadata that is not exactly key=value", () => {
    expect(
      requirements("MachineMetadata=a\nMachineMetadata==b\nMachineMetadata=a=\nMachineMetadata=a=b=c\n").metadata,
    ).toEqual([]);
  });
  it("replaces specifiers, once", () => {
    expect(requirements("MachineOf=%p@%i.socket\nConflicts=%N-x %n\n")).toMatchObject({
      machineOf: ["foo@bar.socket"],
      conflicts: ["foo@bar-x", "foo@bar.service"],
    });
    expect(requirements("Conflicts=%i\n", "a@%n.service").conflicts).toEqual(["%i"]);
  });
  it.each([
    ["true", true],
    ["YES", true],
    ["1", true],
    ["on", true],
    ["t", true],
    ["false", false],
    ["2", false],
  ])("reads Global=%s", (text, value) => expect(requirements(`Global=${text}\n`).global).toBe(value));
  it.each([
    ["", "keep"],
    ["OnPartition=keep\n", "keep"],
    ["OnPartition=Stop\n", "stop"],
    ["OnPartition=stop\nOnPartition=keep\n", "keep"],
  ])("reads OnPartition of %j", (text, value) => expect(requirements(text).onPartition).toBe(value));
  it("lets the last Global win", () => expect(requirements("Global=true\nGlobal=no\n").global).toBe(false));
  it("names options it does not know", () => {
    expect(unknownFleetOptions(parseUnitFile("[X-Fleet]\nMachinOf=a\nMachineOf=b\n[Unit]\nX=y\n"))).toEqual([
      "MachinOf",
    ]);
  });
  it.each([
    ["MachineID=a\nMachineOf=b.service", "MachineID", "MachineOf"],
    ["MachineID=a\nConflicts=b", "MachineID", "Conflicts"],
    ["MachineID=a\nGlobal=true", "MachineID", "Global"],
    ["MachineID=a\nReplaces=b", "MachineID", "Replaces"],
    ["Global=true\nMachineOf=b.service", "Global", "MachineOf"],
    ["Global=true\nReplaces=b", "Global", "Replaces"],
    ["Conflicts=a\nReplaces=b", "Conflicts", "Replaces"],
    ["MachineOf=b.service\nConflicts=b*", "MachineOf", "Conflicts"],
    ["MachineOf=b.service\nReplaces=b*", "MachineOf", "Replaces"],
    ["Overlap=true\nOnPartition=stop", "Overlap", "OnPartition"],
    ["OnPartition=stopp", "OnPartition=stopp", "expected keep or stop"],
  ])("refuses %j, naming both options", (lines, one, other) => {
    const check = (): void => checkRequirements("x.service", requirements(lines));
    expect(check).toThrow(one);
    expect(check).toThrow(other);
  });
  it("allows Conflicts with Global and with MachineOf of another", () => {
    expect(() => checkRequirements("x.service", requirements("Global=true\nConflicts=b*"))).not.toThrow();
    expect(() => checkRequirements("x.service", requirements("MachineOf=a.service\nConflicts=b*"))).not.toThrow();
  });
});

describe("fitting a machine", () => {
  it("wants one value of every key", () => {
    const wanted = requirements("MachineMetadata=a=1\nMachineMetadata=a=2\nMachineMetadata=b=3\n");
    expect(metadataFits(wanted, { a: "2", b: "3" })).toBe(true);
    expect(metadataFits(wanted, { a: "2" })).toBe(false);
    expect(metadataFits(wanted, { a: "3", b: "3" })).toBe(false);
    expect(metadataFits(requirements("MachineMetadata=constructor=x\n"), {})).toBe(false);
  });
  it("knows machines by their full and their short ID", () => {
    const id = "0123456789abcdef0123456789abcdef";
    expect(matchesMachineID(id, id)).toBe(true);
    expect(matchesMachineID("01234567", id)).toBe(true);
    expect(matchesMachineID("0123456", id)).toBe(false);
  });
  it("sees conflicts in both directions, and none of a unit with itself", () => {
    const a = { name: "a.service", requirements: { conflicts: ["b*"] } };
    const b = { name: "b.service", requirements: { conflicts: [] } };
    expect(conflicts(a, b)).toBe(true);
    expect(conflicts(b, a)).toBe(true);
    expect(conflicts({ ...a, requirements: { conflicts: ["*"] } }, a)).toBe(false);
  });
  it("lays dynamic metadata over the configured one; an empty value removes the key", () => {
    expect(
      mergeMetadata(
        { a: "1", b: "2" },
        new Map([
          ["a", { value: "" }],
          ["c", { value: "3" }],
        ]),
      ),
    ).toEqual({ b: "2", c: "3" });
  });
  it("runs global units where they fit; they give way to what is scheduled there and to older ones", () => {
    const unit = (name: string, lines: string, createRevision: number) => ({
      name,
      requirements: requirements(lines, name),
      createRevision,
    });
    const globals = [
      unit("g1.service", "MachineMetadata=a=1", 5),
      unit("g2.service", "Conflicts=s*", 3),
      unit("g3.service", "Conflicts=g1*", 9),
    ];
    const names = (metadata: Record<string, string>, scheduled: string[]): string[] =>
      globalsOn(
        globals,
        metadata,
        scheduled.map((name) => unit(name, "", 0)),
      ).map(({ name }) => name);
    expect(names({ a: "1" }, [])).toEqual(["g2.service", "g1.service"]);
    expect(names({}, [])).toEqual(["g2.service", "g3.service"]);
    expect(names({}, ["s.service"])).toEqual(["g3.service"]);
  });
});
