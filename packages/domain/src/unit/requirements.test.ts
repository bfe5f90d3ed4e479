import { describe, expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { isFleetOption, unknownFleetOptions } from "./fleet-section.ts";
import { checkRequirements, isMetadataTest, isNumber, readRequirements, sameRequirements } from "./requirements.ts";

const requirements = (lines: string, name = "foo@bar.service") =>
  readRequirements(name, parseUnitFile(`[X-Fleet]\n${lines}`));

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
  it.each(["MachineOf=a.service", "Conflicts=a", "Replaces=a", "Global=true"])("allows %s alone", (line) => {
    expect(() => checkRequirements("x.service", requirements(line))).not.toThrow();
  });
  it.each([
    ["Overlap=true\nOnPartition=keep"],
    ["Overlap=false\nOnPartition=stop"],
    ["MachineOf=a.service\nConflicts=b*\nConflicts=c*"],
    ["MachineOf=a.service\nReplaces=b*"],
  ])("allows %j", (lines) => {
    expect(() => checkRequirements("x.service", requirements(lines))).not.toThrow();
  });
  it("reads options of its own section only", () => {
    const options = parseUnitFile("[Unit]\nConflicts=a*\nGlobal=true\n[X-Fleet]\nReplaces=b*\n");
    expect(readRequirements("a.service", options)).toMatchObject({ conflicts: [], global: false, replaces: ["b*"] });
  });
  it("asks for nothing where nothing is written", () => {
    expect(requirements("")).toEqual({
      machineID: null,
      machineOf: [],
      metadata: [],
      bounds: [],
      conflicts: [],
      replaces: [],
      global: false,
      preferences: null,
      weight: 1,
      stay: false,
      overlap: false,
      rerun: false,
      onPartition: "keep",
    });
  });
  it("takes the first MachineID that is not empty", () => {
    expect(requirements("MachineID=\nMachineID=a\nMachineID=b\n").machineID).toBe("a");
    expect(requirements("MachineID=\n").machineID).toBeNull();
  });
  it("counts what is written twice once", () => {
    expect(requirements("Conflicts=a a\nReplaces=b\nReplaces=b\nMachineOf=c c\nPreferApart=d d\n")).toMatchObject({
      ...{ conflicts: ["a"], replaces: ["b"], machineOf: ["c"], preferences: { apart: ["d"] } },
    });
    expect(requirements("MachineMetadata=a=1\nMachineMetadata=a=1\n").metadata).toEqual([{ key: "a", values: ["1"] }]);
  });
  it("leaves specifiers alone in a unit whose name is none", () => {
    expect(requirements("Conflicts=%n\n", "nonsense").conflicts).toEqual(["%n"]);
  });
  it("has nothing for %i of a unit that is no instance, and the whole name for %p", () => {
    expect(requirements("Conflicts=x%i-%p\n", "foo.service").conflicts).toEqual(["x-foo"]);
  });
});

describe("preferences", () => {
  it.each([
    ["PreferMetadata=a=1", { metadata: [{ key: "a", operator: "=", value: "1" }], apart: [], spread: null }],
    ["PreferApart=a@*", { metadata: [], apart: ["a@*"], spread: null }],
    ["Spread=zone\nSpread=rack", { metadata: [], apart: [], spread: "rack" }],
    ["PreferMetadata=nonsense", null],
  ])("of %j", (lines, preferences) => expect(requirements(lines).preferences).toEqual(preferences));
});

describe("a value", () => {
  const words = (value: string): readonly string[] => requirements(`Conflicts=${value}\n`).conflicts;
  it.each([
    ["is split at white space", "a  b\tc", ["a", "b", "c"]],
    ["in quotes is a list of words", '"a" "b"', ["a", "b"]],
    ["in quotes without spaces between is a list too", '"a""b"', ["a", "b"]],
    ["with a quote at its start only is taken as it is", '"a b', ['"a', "b"]],
    ["with a quote at its end only is taken as it is", 'a b"', ["a", 'b"']],
    ["with quotes in it only is taken as it is", 'a "b" c', ["a", '"b"', "c"]],
    ["of one quote is taken as it is", '"', ['"']],
    ["in empty quotes is empty", '""', []],
  ])("%s", (_what, value, expected) => expect(words(value)).toEqual(expected));
  it("of metadata keeps its spaces", () => {
    expect(requirements("MachineMetadata=a=b c\n").metadata).toEqual([{ key: "a", values: ["b c"] }]);
  });
});

describe("a weight", () => {
  it.each([
    ["", 1],
    ["Weight=", 1],
    ["Weight=0", 1],
    ["Weight=1", 1],
    ["Weight=2", 2],
    ["Weight=10000", 10_000],
    ["Weight=10001", 10_000],
    ["Weight=99999", 10_000],
    ["Weight=100000", 1],
    ["Weight=x5", 1],
    ["Weight=5x", 1],
    ["Weight=-5", 1],
    ["Weight=1.5", 1],
    ["Weight=2\nWeight=3", 3],
  ])("of %j is %d", (lines, weight) => expect(requirements(lines).weight).toBe(weight));
});

describe("a number, as bounds compare them,", () => {
  it.each(["1", "12", "1.", "1.5", "12.34", ".5", ".55", "-1", "+1", "-.5"])("is %s", (text) => {
    expect(isNumber(text)).toBe(true);
  });
  it.each(["", ".", "-", "1.5.2", "1e3", "0x1", "1 ", " 1", "a1", "1a", "--1", "-.", "..5", "x.5", ".5x", ".x"])(
    "is not %j",
    (text) => expect(isNumber(text)).toBe(false),
  );
});

describe("a condition on metadata", () => {
  it.each(["a=b", "key=value", "a!=b", "a>=1", "a<=-1.5", "a=>", "a b=c d"])("is %s", (text) => {
    expect(isMetadataTest(text)).toBe(true);
  });
  it.each(["", "a", "=b", "a=", "a==b", "a=b=c", "a>1", "a<1", "a!b", "a>=x", "a<=x", "a>=", "!=b", ">=1", "a=!=b"])(
    "is not %j",
    (text) => expect(isMetadataTest(text)).toBe(false),
  );
  it("is a bound where it is more than key=value", () => {
    expect(requirements("MachineMetadata=a=1\nMachineMetadata=b!=2\nMachineMetadata=c>=3\n")).toMatchObject({
      metadata: [{ key: "a", values: ["1"] }],
      bounds: [
        { key: "b", operator: "!=", value: "2" },
        { key: "c", operator: ">=", value: "3" },
      ],
    });
  });
});

describe("the requirements of two versions of a unit", () => {
  const same = (one: string, other: string): boolean => sameRequirements(requirements(one), requirements(other));
  it.each([
    "MachineID=a",
    "MachineOf=a.service",
    "MachineMetadata=a=1",
    "MachineMetadata=a>=1",
    "Conflicts=a",
    "Replaces=a",
    "Global=true",
  ])("are others with %s", (line) => {
    expect(same(line, "")).toBe(false);
    expect(same(line, line)).toBe(true);
  });
  it.each([
    "PreferMetadata=a=1",
    "PreferApart=a",
    "Spread=a",
    "Weight=5",
    "Stay=true",
    "Overlap=true",
    "OnPartition=stop",
  ])("are the same with %s, which moves nothing", (line) => expect(same(line, "")).toBe(true));
});

it.each([
  ["MachineOf", true],
  ["X-ConditionMachineBootID", true],
  ["OnPartition", true],
  ["machineof", false],
  ["ExecStart", false],
])("%s is an option of fleet's: %s", (name, isKnown) => expect(isFleetOption(name)).toBe(isKnown));

describe("what one unit may cost", () => {
  const check =
    (lines: string): (() => void) =>
    () =>
      checkRequirements("a.service", requirements(lines, "a.service"));
  const conditions = (count: number): string =>
    Array.from({ length: count }, (_, index) => `Conflicts=c${index}`).join("\n");
  it("is bounded by the number of its conditions", () => {
    expect(check(conditions(256))).not.toThrow();
    expect(check(conditions(257))).toThrow(
      /257 conditions of \d+ bytes in \[X-Fleet\] are more than the 256 of 8192 bytes/,
    );
    expect(check(`${conditions(255)}\nMachineMetadata=a=1\nPreferMetadata=a=2`)).toThrow("257 conditions");
  });
  it.each(["MachineOf", "Conflicts", "Replaces", "PreferApart", "MachineMetadata", "PreferMetadata"])(
    "is bounded by the length of those of %s",
    (option) => {
      const length = 8192 - (option.endsWith("Metadata") ? 1 : 0);
      const value = (size: number): string => `${option.endsWith("Metadata") ? "a=" : ""}${"b".repeat(size)}`;
      expect(check(`${option}=${value(length)}`)).not.toThrow();
      expect(check(`${option}=${value(length + 1)}`)).toThrow("8193 bytes");
    },
  );
  it("is bounded by the length that specifiers give them", () => {
    expect(check(`Conflicts=${"%n".repeat(1_000)}`)).toThrow("9000 bytes");
    const [glob = ""] = requirements(`Conflicts=${"%n".repeat(100_000)}`, `${"a".repeat(200)}.service`).conflicts;
    expect(glob).toHaveLength(200_000);
  });
  it("grows with its options, and no faster", () => {
    const readsOf = (count: number): number => {
      let reads = 0;
      const option = {
        name: "MachineMetadata",
        value: "a=b",
        get section() {
          reads++;
          return "X-Fleet";
        },
      };
      readRequirements(
        "a.service",
        Array.from({ length: count }, () => option),
      );
      return reads;
    };
    expect(readsOf(2_000)).toBe(2 * readsOf(1_000));
  });
});
