import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("destroy and restart", () => {
  it("skip, or name, what is not there or not started", async () => {
    answerWith(clusterOf([], [{ ...unit, desiredState: "inactive", currentState: "inactive" }]));
    expect(await run(["destroy", "none"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "Units not found in registry\nUnit none.service does not exist.\n",
    });
    expect(await run(["restart", "a", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: Unable to restart unit a.service in state inactive\nError: Unit none.service does not exist.\n",
    });
  });
});
