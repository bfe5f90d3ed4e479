import { expect, it } from "vitest";
import { failureText, type RunResult } from "./run-result.ts";

const run: RunResult = { result: "exit-code", exitStatus: 3, exitSignal: null, restarts: 0 };
const failed = { active: "failed", sub: "failed" };
const retrying = { active: "activating", sub: "auto-restart" };

it.each([
  ["exits with a status", failed, run, "failed: exit status 3 (exit-code)"],
  [
    "is killed",
    failed,
    { ...run, result: "signal", exitStatus: null, exitSignal: "SIGKILL" },
    "failed: killed by SIGKILL (signal)",
  ],
  [
    "is given up after restarts",
    failed,
    { ...run, result: "start-limit-hit", exitStatus: null, restarts: 5 },
    "failed: start-limit-hit, after 5 restarts",
  ],
  ["fails without an exit status", failed, { ...run, result: "timeout", exitStatus: 0 }, "failed: timeout"],
  ["fails, by an agent that says no more", failed, null, "failed"],
  [
    "waits for its next restart",
    retrying,
    { ...run, restarts: 12 },
    "keeps failing: exit status 3 (exit-code), after 12 restarts",
  ],
  [
    "is at its next start already",
    { active: "activating", sub: "start-pre" },
    { ...run, restarts: 2 },
    "keeps failing: exit status 3 (exit-code), after 2 restarts",
  ],
  ["waits for its first restart", retrying, { ...run, restarts: 1 }, null],
  ["waits for a restart, by an agent that says no more", retrying, null, null],
  ["is up after restarts", { active: "active", sub: "running" }, { ...run, restarts: 12 }, null],
])("a unit that %s", (_what, systemd, result, text) => {
  expect(failureText(systemd, result)).toBe(text);
});
