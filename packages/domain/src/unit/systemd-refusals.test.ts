import { describe, expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { systemdRefusals } from "./systemd-refusals.ts";
import { analyze } from "./testing/analyze.ts";

const ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/true\n";
const RUNS = "[Service]\nExecStart=/bin/true\n";
const STREAM = "[Socket]\nListenStream=5\n";

/** A unit's name before its number, its text, and what fleet says of it; null: nothing, and neither does systemd. */
const UNITS: readonly (readonly [name: string, text: string, why: string | null])[] = [
  ["service", "[Unit]\nDescription=a\n", "a service needs ExecStart="],
  ["service", "[Service]\nExecStart=\n", "a service needs ExecStart="],
  ["service", "[Service]\nExecStart=/bin/true\nExecStart=\n", "a service needs ExecStart="],
  ["service", "[Unit]\nExecStart=/bin/true\n", "a service needs ExecStart="],
  ["service", "[Service]\nSuccessAction=reboot\n", "a service needs ExecStart="],
  ["service", "[Unit]\nSuccessAction=reboot\n", null],
  ["service", "[Service]\nExecStop=/bin/true\n", "needs RemainAfterExit=yes"],
  ["service", "[Service]\nExecStop=/bin/true\nRemainAfterExit=yes\n", null],
  ["service", "[Service]\nExecStop=/bin/true\nRemainAfterExit=yes\nRemainAfterExit=junk\n", null],
  [
    "service",
    "[Service]\nType=simple\nExecStop=/bin/true\nRemainAfterExit=yes\n",
    "has to be of Type=oneshot, not simple",
  ],
  ["service", `${RUNS}ExecStart=/bin/true\n`, "one ExecStart= only, and has 2"],
  ["service", "[Service]\nExecStart=/bin/true ; /bin/true\n", "one ExecStart= only, and has 2"],
  ["service", "[Service]\nExecStart=/bin/true ;\n", null],
  ["service", "[Service]\nExecStart=/bin/sh -c 'a ; b'\n", null],
  ["service", "[Service]\nExecStart=/bin/echo a \\; b\n", null],
  ["service", "[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/true\n", null],
  ["service", `${ONESHOT}ExecStart=/bin/true\n`, null],
  ["service", `${ONESHOT}Restart=always\n`, "Restart=always is not allowed in a service of Type=oneshot"],
  ["service", `${ONESHOT}Restart=on-success\n`, "Restart=on-success is not allowed"],
  ["service", `${ONESHOT}Restart=on-failure\n`, null],
  ["service", `${ONESHOT}Restart=always\nRestart=no\n`, null],
  ["service", `${ONESHOT}Restart=always\nType=simple\n`, null],
  ["service", `${ONESHOT}Type=junk\nRestart=always\n`, "Restart=always is not allowed"],
  ["service", `${ONESHOT}RestartForceExitStatus=1\n`, "RestartForceExitStatus="],
  ["service", `${ONESHOT}ExitType=cgroup\n`, "ExitType=cgroup"],
  ["service", `${RUNS}Type=dbus\n`, "needs BusName="],
  ["service", `${RUNS}Type=dbus\nBusName=a.b\n`, null],
  ["service", `${RUNS}PAMName=x\nKillMode=process\n`, "PAMName= needs KillMode="],
  ["service", `${RUNS}PAMName=x\nKillMode=mixed\n`, null],
  ["service", "[Service]\nExecStart=bin/true\n", "neither an absolute path nor a plain name"],
  ["service", "[Service]\nExecStart=-@/bin/true x\n", null],
  ["service", `${RUNS}WorkingDirectory=a\n`, "WorkingDirectory=a is not an absolute path"],
  ["service", `${RUNS}WorkingDirectory=-a\n`, null],
  ["service", `${RUNS}WorkingDirectory=~\n`, null],
  ["socket", "[Socket]\nAccept=yes\n", "a socket needs ListenStream="],
  ["socket", "[Unit]\nListenStream=80\n", "a socket needs ListenStream="],
  ["socket", "[Socket]\nListenDatagram=5\nAccept=yes\n", "only these have connections"],
  ["socket", `${STREAM}Accept=yes\nService=a.service\n`, "Service= is not allowed with Accept=yes"],
  ["socket", `${STREAM}Accept=yes\nMaxConnections=0\n`, "lets nobody in"],
  ["timer", "[Unit]\nOnCalendar=daily\n", "a timer needs OnCalendar="],
  ["timer", "[Timer]\nUnit=b.service\n", "a timer needs OnCalendar="],
  ["timer", "[Timer]\nOnClockChange=no\n", "a timer needs OnCalendar="],
  ["timer", "[Timer]\nOnClockChange=yes\n", null],
  ["timer", "[Timer]\nOnBootSec=1\n", null],
  ["path", "[Path]\nMakeDirectory=yes\n", "a path unit needs PathExists="],
  ["path", "[Path]\nDirectoryNotEmpty=/a\n", null],
  ["mount", "[Mount]\nWhat=/dev/null\nWhere=/other\n", "Where=/other does not match the unit's name"],
  ["mount", "[Mount]\nDescription=a\n", "a mount needs What="],
  ["mount", "[Mount]\nWhat=/dev/null\n", null],
  ["automount", "[Automount]\nWhere=/other\n", "Where=/other does not match the unit's name"],
  ["swap", "[Swap]\nWhat=/dev/sdb\n", "What=/dev/sdb does not match the unit's name"],
  ["target", "[Unit]\nDescription=a\n", null],
];

const NAMED: typeof UNITS = [
  ["proc.mount", "[Mount]\nWhat=/dev/null\n", "/proc is mounted by systemd itself"],
  ["dev-shm.mount", "[Mount]\nWhat=/dev/null\n", "/dev/shm is mounted by systemd itself"],
  ["a-b.mount", "[Mount]\nWhat=/dev/null\nWhere=//a/./b/\n", null],
  ["a\\x2db-\\x2ec.mount", "[Mount]\nWhat=/dev/null\nWhere=/a-b/.c\n", "does not match"],
  ["a\\x2db-.c.mount", "[Mount]\nWhat=/dev/null\nWhere=/a-b/.c\n", null],
  ["\\x2ea.automount", "[Automount]\nWhere=/.a\n", null],
  ["dev-sda.swap", "[Swap]\nWhat=/dev/sda\n", null],
  ["a\\xc3\\xa9.mount", "[Mount]\nWhat=/dev/null\nWhere=/aé\n", null],
];

describe("what systemd refuses to load, fleet's linter tells, and nothing else", () => {
  const all = [...UNITS.map(([type, text, why], index) => [`unit${index}.${type}`, text, why] as const), ...NAMED];
  const said = analyze(new Map(all.map(([name, text]) => [name, text])));
  it.each(all)("%s with %j", (name, text, why) => {
    const isRefused = (said.get(name) ?? []).some((line) => line === "has a bad unit file setting.");
    const own = systemdRefusals(name, parseUnitFile(text));
    expect({ isRefused, own }).toEqual({
      isRefused: why !== null,
      own: why === null ? [] : [expect.stringContaining(why)],
    });
  });
  it("says nothing of types without rules", () => expect(systemdRefusals("a.slice", [])).toEqual([]));
});
