import { describe, expect, it } from "vitest";
import { likeFindings, lintUnitFile } from "./lint.ts";

const RUNS = "[Service]\nExecStart=/bin/a\n";
/** What is found in a file: `LINE SEVERITY: MESSAGE`, without a line where the whole file is meant. */
const found = (text: string, name = "a.service"): readonly string[] =>
  lintUnitFile(name, text).map(
    ({ line, severity, message }) => `${line === null ? "" : `${line} `}${severity}: ${message}`,
  );
const inFleet = (option: string): readonly string[] => found(`${RUNS}[X-Fleet]\n${option}\n`);
const METADATA = "is not key=value, key!=value, key>=number or key<=number and has no effect";

const STRAY = (text: string, name: string): string =>
  `${JSON.stringify(text)} in ${name} has a quote that counts as a character: a list of quoted words begins and ends with "`;

describe("a unit file is refused", () => {
  it.each([
    ["under a name that is none", "a", RUNS, "error: the name a is not valid: the name has no type such as .service"],
    ["where it can't be read", "a.service", "[Unit]\nnonsense\n", '2 error: expected Name=value, found "nonsense"'],
    ["without options", "a.service", "[Unit]\n", "error: the file has no options: at least one Name=value is needed"],
    [
      "where it asks for what can't be together",
      "a.service",
      `${RUNS}[X-Fleet]\nMachineID=a\nGlobal=true\n`,
      "error: unit a.service: options MachineID and Global in [X-Fleet] can't be used together; remove one",
    ],
  ])("%s", (_when, name, text, finding) => expect(found(text, name)).toEqual([finding]));
  it("with what was found before the error", () => {
    expect(found("stray\n[Unit\n")).toEqual([
      "1 warning: stands before any [Section] and is ignored",
      '2 error: the section "[Unit" has no closing ]',
    ]);
  });
});

describe("sections", () => {
  it.each([
    ["a.service", "[Unit]\nA=b\n[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=x\n[X-Mine]\nA=b\n"],
    ["a.timer", "[Timer]\nOnCalendar=daily\n"],
    ["a.socket", "[Socket]\nListenStream=80\n"],
    ["a.mount", "[Mount]\nWhat=/dev/a\n"],
    ["a.automount", "[Automount]\nWhere=/a\n"],
    ["a.path", "[Path]\nPathExists=/a\n"],
    ["b.path", "[Path]\nPathChanged=/a\n"],
    ["a.slice", "[Slice]\nCPUWeight=1\n"],
    ["dev-a.swap", "[Swap]\nWhat=/dev/a\n"],
    ["a.target", "[Unit]\nDescription=a\n"],
  ])("of %s are as they should be in %j", (name, text) => expect(found(text, name)).toEqual([]));
  it("of another type, and unknown ones, are pointed out with their lines", () => {
    expect(found(`${RUNS}[Timer]\nOnCalendar=daily\n[Servise]\nA=b\n`)).toEqual([
      "3 warning: section [Timer] has no effect in a unit of type service",
      "5 warning: section [Servise] is not known and has no effect",
    ]);
    expect(found("[Target]\nA=b\n", "a.target")).toEqual([
      "1 warning: section [Target] is not known and has no effect",
    ]);
  });
});

describe("options of fleet's", () => {
  it.each([
    "MachineMetadata=a=b",
    'MachineMetadata="a=b" "c=d"',
    'MachineMetadata="a=b"  "c=d"',
    "Conflicts=a*  b*",
    "MachineMetadata=cores>=4",
    "PreferMetadata=disk!=hdd",
    "X-ConditionMachineMetadata=a=b",
    "Weight=1",
    "Weight=10000",
    "Conflicts=a* b?",
    "X-Conflicts=a*",
    "Replaces=[a-z]*",
    "PreferApart=a@*",
    "Spread=[",
    ...["true", "YES", "1", "on", "t", "false", "no", "0", "OFF", "f", '"true"'].map((value) => `Stay=${value}`),
  ])("%s is fine", (option) => expect(inFleet(option)).toEqual([]));
  it.each([
    ["MachinOf=a", "option MachinOf in [X-Fleet] is not known and has no effect"],
    ["MachineMetadata=ssd", `"ssd" in MachineMetadata ${METADATA}`],
    ['MachineMetadata="a=b" "ssd"', `"ssd" in MachineMetadata ${METADATA}`],
    ["PreferMetadata=cores>=many", `"cores>=many" in PreferMetadata ${METADATA}`],
    ["Weight=heavy", '"heavy" is not a number from 1 to 10000: Weight counts as 1'],
    ["Weight=123456", '"123456" is not a number from 1 to 10000: Weight counts as 1'],
    ["Weight=5kg", '"5kg" is not a number from 1 to 10000: Weight counts as 1'],
    ["Weight=-5", '"-5" is not a number from 1 to 10000: Weight counts as 1'],
    ["Conflicts=a* [", '"[" in Conflicts is not a valid glob and matches nothing'],
    ["X-Conflicts=[", '"[" in X-Conflicts is not a valid glob and matches nothing'],
    ["Replaces=[a", '"[a" in Replaces is not a valid glob and matches nothing'],
    ['PreferApart="a*" "["', '"[" in PreferApart is not a valid glob and matches nothing'],
    ["Global=maybe", '"maybe" is neither true nor false: Global counts as false'],
    ["Stay=truely", '"truely" is neither true nor false: Stay counts as false'],
    ["Overlap=untrue", '"untrue" is neither true nor false: Overlap counts as false'],
  ])("%s is pointed out", (option, message) => expect(inFleet(option)).toEqual([`4 warning: ${message}`]));
  it.each([
    [
      "az=az1 host=h3",
      `"az=az1 host=h3" in MachineMetadata ${METADATA}: put each condition in quotes, or on a line of its own`,
    ],
    ['"a=b" c "d=e"', '"c" in MachineMetadata stands outside the quotes and has no effect'],
    ["'a=b'", STRAY("'a=b'", "MachineMetadata")],
    ['"a=b" c=d', STRAY('"a=b" c=d', "MachineMetadata")],
    ["", "MachineMetadata= is empty and has no effect: in [X-Fleet] it takes nothing back"],
    ['""', "MachineMetadata= is empty and has no effect: in [X-Fleet] it takes nothing back"],
  ])("MachineMetadata=%s is pointed out as the scheduler reads it", (value, message) => {
    expect(inFleet(`MachineMetadata=${value}`)).toEqual([`4 warning: ${message}`]);
  });
  it.each([
    [
      "foo",
      '"foo" in MachineOf is not a unit\'s name (the name has no type such as .service): the unit fits no machine: did you mean foo.service?',
    ],
    ["a.service", "MachineOf=a.service names the unit itself: it fits no machine"],
    ["%n", "MachineOf=a.service names the unit itself: it fits no machine"],
    [
      "b@.mount",
      "\"b@.mount\" in MachineOf is not a unit's name (a mount unit can't be a template or an instance): the unit fits no machine",
    ],
    ['"b.service" c', STRAY('"b.service"', "MachineOf")],
  ])("MachineOf=%s is pointed out", (value, message) => {
    expect(inFleet(`MachineOf=${value}`)).toEqual([`4 warning: ${message}`]);
  });
  it.each([
    ["machineof=b.service", "option machineof in [X-Fleet] is not known and has no effect: did you mean MachineOf?"],
    ["Conflicts=a,b", '"a,b" in Conflicts matches no unit\'s name: globs are divided by spaces'],
    ["Spread=zone rack", 'Spread takes one word, not "zone rack"'],
    ["Rerun=maybe", '"maybe" is neither true nor false: Rerun counts as false'],
  ])("%s is pointed out with a hint", (option, message) => expect(inFleet(option)).toEqual([`4 warning: ${message}`]));
  it.each([
    ["Stay=true\nStay=no", ["4 warning: Stay has no effect here: the one in line 5 counts"]],
    ["MachineID=a\nMachineID=b", ["5 warning: MachineID has no effect here: the one in line 4 counts"]],
    [
      "MachineOf=b.service\nMachineOf=c.service\nConflicts=x\nConflicts=y\nMachineMetadata=a=1\nMachineMetadata=b=1",
      [],
    ],
  ])("%j: what does not count beside another line is pointed out", (lines, findings) => {
    expect(inFleet(lines)).toEqual(findings);
  });
  it("of templates are looked at as those of an instance", () => {
    const text = `${RUNS}[X-Fleet]\nMachineOf=b@%i.service\nConflicts=%p@*\nMachineMetadata=host=%i\n`;
    expect(found(text, "a@.service")).toEqual([]);
  });
  it("in another section are pointed out, but for systemd's own Conflicts=", () => {
    expect(found(`[Unit]\nConflicts=b.service\n${RUNS}MachineOf=b.service\n[X-Mine]\nGlobal=true\n`)).toEqual([
      "5 warning: option MachineOf has no effect in [Service]: fleet reads it in [X-Fleet]",
    ]);
  });
  it.each(["X-fleet", "x-fleet", "Fleet", "X-Flet", "XFleet", "X_Fleet", "X-Fleet ", "X-Fleets"])(
    "in a section that is called [%s] are pointed out",
    (section) => {
      expect(found(`${RUNS}[${section}]\nGlobal=true\n`)).toEqual([
        `3 warning: section [${section}] is not [X-Fleet] and has no effect`,
      ]);
    },
  );
  it("that a value before them swallows are pointed out", () => {
    expect(found("[Service]\nExecStart=/bin/a \\\n[X-Fleet]\nMachineMetadata=a=b\n")).toEqual([
      "2 warning: ExecStart carries on to the line [X-Fleet], which opens no section: end the line before it without a backslash",
      "4 warning: option MachineMetadata has no effect in [Service]: fleet reads it in [X-Fleet]",
    ]);
  });
  it("whose line carries on, with comments between, are read as systemd joins them", () => {
    expect(inFleet('Conflicts=a* \\\n# those of b\n  b*\nMachineMetadata="a=b" \\\n "c=d"')).toEqual([]);
  });
});

it.each(["a.socket", "a@.socket", "a@1.socket"])(
  "of %s whose connections start instances says that they need a file",
  (name) => {
    const text = "[Socket]\nListenStream=5\nAccept=yes\n";
    expect(found(text, name)).toEqual([
      "warning: Accept=yes starts instances of a@.service, and fleet loads no template: its file has to be on the machine by itself",
    ]);
  },
);

describe("findings of many files", () => {
  it("are told once each, with how often", () => {
    const text = `${RUNS}[X-Fleet]\nMachinOf=a\nMachinOf=b\n`;
    const files = ["a.service", "b.service"].map((name) => [name, lintUnitFile(name, text)] as const);
    const message = "option MachinOf in [X-Fleet] is not known and has no effect";
    expect(likeFindings(new Map(files))).toEqual([
      { path: "a.service", finding: { line: 4, severity: "warning", message }, more: 3 },
    ]);
  });
  it("are no more than a reader takes", () => {
    expect(lintUnitFile("a.service", `${RUNS}${"[X-fleet]\n".repeat(20_000)}`)).toHaveLength(1_000);
  });
});
