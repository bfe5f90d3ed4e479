import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, state, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("destroy", () => {
  it("says which machine has not let go of the unit yet, and why, also where its time is up", async () => {
    const stopping = { ...state, systemdActiveState: "deactivating", systemdSubState: "stop-sigterm" };
    let isDestroyed = false;
    answerWith((method, path) => {
      if (method === "DELETE") isDestroyed = true;
      if (method === "DELETE") return { status: 204 };
      return clusterOf([stopping], isDestroyed ? [] : [unit])(method, path);
    });
    const { code, stderr } = await run(["destroy", "--block-attempts", "11", "a"]);
    expect(code).toBe(1);
    const why = "a\\.service is deactivating \\(stop-sigterm\\) on 113f16a7";
    expect(stderr).toMatch(new RegExp(`^Still waiting for machines to unload units: ${why}`, "m"));
    expect(stderr).toMatch(
      new RegExp(`^Error: timed out waiting for machines to unload units, which continue: ${why}`, "m"),
    );
  }, 15_000);
});

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
