import type { UnitStatus } from "@fleet/client";
import { describe, expect, it } from "vitest";
import { momentText } from "../printing/amounts.ts";
import { exitCodeOf, unitStatusLines } from "./unit-text.ts";

const now = new Date(2026, 0, 2, 12, 0, 0);
const since = new Date(2026, 0, 2, 11, 55, 0);
const status: UnitStatus = {
  ...{ unit: "web.service", machineID: "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa", hostname: "h1.example.org" },
  ...{ description: "My web", loadState: "loaded", activeState: "active", subState: "running" },
  ...{ fragmentPath: "/run/fleet/units/web.service", unitFileState: "linked-runtime", since: since.toISOString() },
};
const look = { hasColors: false, now };
const textOf = (more: Partial<UnitStatus>): string => unitStatusLines({ ...status, ...more }, look).join("\n");

describe("a unit's status", () => {
  it("is shown as systemctl's, with the machine", () => {
    const entry = {
      ...{ unit: "web.service", machineID: status.machineID, hostname: "h1", cursor: "c", priority: 3, pid: 123 },
      ...{ timestamp: since.toISOString(), identifier: "web", message: "hello\x1b[2J" },
    };
    const lines = unitStatusLines(
      {
        ...status,
        ...{ dropIns: ["/etc/a.conf", "/etc/b.conf"], triggeredBy: ["web.timer"], statusText: "ready" },
        ...{
          mainPID: 123,
          mainProcess: "web",
          tasks: 2,
          tasksMax: 4915,
          memoryBytes: 2_097_152,
          memoryPeakBytes: 3_145_728,
        },
        ...{ cpuMs: 12, ioReadBytes: 1024, ioWriteBytes: 0, controlGroup: "/system.slice/web.service" },
        processes: [
          { pid: 123, command: "/bin/web --port 80", controlGroup: "/system.slice/web.service" },
          { pid: 130, command: "worker one", controlGroup: "/system.slice/web.service/pool" },
          { pid: 131, command: "worker two", controlGroup: "/system.slice/web.service/pool" },
        ],
        journal: [entry],
      },
      look,
    );
    expect(lines).toEqual([
      "● web.service - My web",
      "    Machine: h1 (113f16a7aaaaaaaaaaaaaaaaaaaaaaaa)",
      "     Loaded: loaded (/run/fleet/units/web.service; linked-runtime)",
      "    Drop-In: /etc/a.conf",
      "             /etc/b.conf",
      `     Active: active (running) since ${momentText(since)}; 5min ago`,
      "TriggeredBy: web.timer",
      "   Main PID: 123 (web)",
      '     Status: "ready"',
      "      Tasks: 2 (limit: 4915)",
      "     Memory: 2.0M (peak: 3.0M)",
      "        CPU: 12ms",
      "         IO: 1.0K read, 0B written",
      "     CGroup: /system.slice/web.service",
      "             ├─pool",
      "             │ ├─130 worker one",
      "             │ └─131 worker two",
      "             └─123 /bin/web --port 80",
      "",
      "Jan 02 11:55:00 h1 web[123]: hello\\x1b[2J",
    ]);
  });
  it("says how a unit failed", () => {
    const failed = { activeState: "failed", subState: "failed", result: "exit-code", exitStatus: 2, mainPID: 123 };
    expect(textOf({ ...failed, restarts: 5 })).toContain("Active: failed (Result: exit-code), restarted 5 times since");
    expect(textOf(failed)).toMatch(/^× web\.service/);
    expect(textOf(failed)).toContain("Main PID: 123 (code=exited, status=2)");
    expect(textOf({ ...failed, exitSignal: "SIGSEGV" })).toContain("Main PID: 123 (code=killed, signal=SEGV)");
  });
  it("leaves out what systemd does not account", () => {
    expect(textOf({ activeState: "inactive", subState: "dead" }).split("\n")).toHaveLength(4);
  });
  it("keeps a description from commanding a terminal", () => {
    expect(textOf({ description: "a\x1b]0;b\x07\nc" })).toContain("● web.service - a\\x1b]0;b\\x07\\nc\n");
  });
  it("is green where the unit is active, and red where it failed", () => {
    const first = (activeState: string) => unitStatusLines({ ...status, activeState }, { ...look, hasColors: true })[0];
    expect(["active", "failed", "inactive"].map((state) => first(state)?.split(" ")[0])).toEqual([
      "\x1b[32m●\x1b[0m",
      "\x1b[31m×\x1b[0m",
      "○",
    ]);
  });
});

it.each([
  ["active", "loaded", 0],
  ["activating", "loaded", 0],
  ["failed", "loaded", 3],
  ["inactive", "loaded", 3],
  ["inactive", "not-found", 4],
])("of a unit that is %s (%s) status ends with %d, as systemctl's", (activeState, loadState, code) => {
  expect(exitCodeOf({ ...status, activeState, loadState })).toBe(code);
});
