import { describe, expect, it } from "vitest";
import { lintUnitFile } from "./lint.ts";

const RUNS = "[Service]\nExecStart=/bin/a\n";
/** What is found in a file: `LINE SEVERITY: MESSAGE`, without a line where the whole file is meant. */
const found = (text: string, name = "a.service"): readonly string[] =>
  lintUnitFile(name, text).map(
    ({ line, severity, message }) => `${line === null ? "" : `${line} `}${severity}: ${message}`,
  );
const inFleet = (option: string): readonly string[] => found(`${RUNS}[X-Fleet]\n${option}\n`);
const METADATA = "is not key=value, key!=value, key>=number or key<=number and has no effect";

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
    ["a.slice", "[Slice]\nCPUWeight=1\n"],
    ["a.swap", "[Swap]\nWhat=/dev/a\n"],
    ["a.scope", "[Scope]\nCPUWeight=1\n"],
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
    "MachineMetadata=",
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
    ["Weight=heavy", '"heavy" is no number from 1 to 10000: Weight counts as 1'],
    ["Weight=123456", '"123456" is no number from 1 to 10000: Weight counts as 1'],
    ["Weight=5kg", '"5kg" is no number from 1 to 10000: Weight counts as 1'],
    ["Weight=-5", '"-5" is no number from 1 to 10000: Weight counts as 1'],
    ["Conflicts=a* [", '"[" in Conflicts is not a valid glob and matches nothing'],
    ["X-Conflicts=[", '"[" in X-Conflicts is not a valid glob and matches nothing'],
    ["Replaces=[a", '"[a" in Replaces is not a valid glob and matches nothing'],
    ['PreferApart="a*" "["', '"[" in PreferApart is not a valid glob and matches nothing'],
    ["Global=maybe", '"maybe" is neither true nor false: Global counts as false'],
    ["Stay=truely", '"truely" is neither true nor false: Stay counts as false'],
    ["Overlap=untrue", '"untrue" is neither true nor false: Overlap counts as false'],
  ])("%s is pointed out", (option, message) => expect(inFleet(option)).toEqual([`4 warning: ${message}`]));
  it("are only those in the section of fleet's", () => {
    expect(found(`${RUNS}MachinOf=a\nWeight=heavy\n`)).toEqual([]);
  });
});

describe("what systemd needs", () => {
  const SERVICE = ["warning: a service needs ExecStart= in [Service]: systemd will refuse it"];
  const TIMER = ["warning: a timer needs OnCalendar=, OnActiveSec= or the like in [Timer]: systemd will refuse it"];
  const SOCKET = ["warning: a socket needs ListenStream= or the like in [Socket]: systemd will refuse it"];
  it.each([
    ["a.service", "[Unit]\nDescription=a\n", SERVICE],
    ["a.service", "[Service]\nExecStart=\n", SERVICE],
    ["a.service", "[Unit]\nExecStart=/bin/a\n", SERVICE],
    ["a.service", "[Service]\nExecStop=/bin/a\n", []],
    ["a.service", "[Unit]\nSuccessAction=reboot\n", []],
    ["a.service", "[Service]\nSuccessAction=reboot\n", SERVICE],
    ["a.timer", "[Unit]\nOnCalendar=daily\n", TIMER],
    ["a.timer", "[Timer]\nUnit=b.service\n", TIMER],
    ["a.timer", "[Timer]\nPersistOnCalendar=daily\n", TIMER],
    ["a.timer", "[Unit]\nDescription=a\n[Timer]\nOnBootSec=1\n", []],
    ["a.socket", "[Unit]\nListenStream=80\n", SOCKET],
    ["a.socket", "[Socket]\nAccept=yes\n", SOCKET],
    ["a.socket", "[Socket]\nNoListenStream=80\n", SOCKET],
    ["a.socket", "[Unit]\nDescription=a\n[Socket]\nListenDatagram=80\n", []],
    ["a.target", "[Unit]\nDescription=a\n", []],
  ])("%s: %j", (name, text, findings) => expect(found(text, name)).toEqual(findings));
});
