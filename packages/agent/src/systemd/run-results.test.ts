import { describe, expect, it } from "vitest";
import { runResult } from "./run-results.ts";

describe("what systemd's numbers say of a run", () => {
  it.each<[string, Parameters<typeof runResult>, ReturnType<typeof runResult>]>([
    ["nothing where it ended well", ["success", 1, 0, 0], null],
    ["an exit status", ["exit-code", 1, 3, 0], { result: "exit-code", exitStatus: 3, exitSignal: null, restarts: 0 }],
    ["a signal", ["signal", 2, 9, 0], { result: "signal", exitStatus: null, exitSignal: "SIGKILL", restarts: 0 }],
    [
      "a dumped core",
      ["core-dump", 3, 11, 2],
      { result: "core-dump", exitStatus: null, exitSignal: "SIGSEGV", restarts: 2 },
    ],
    [
      "restarts of a unit that is up",
      ["success", 0, 0, 4],
      { result: "success", exitStatus: null, exitSignal: null, restarts: 4 },
    ],
    [
      "a unit without processes",
      ["resources", Number.NaN, Number.NaN, 0],
      { result: "resources", exitStatus: null, exitSignal: null, restarts: 0 },
    ],
  ])("%s", (_what, numbers, run) => expect(runResult(...numbers)).toEqual(run));
});
