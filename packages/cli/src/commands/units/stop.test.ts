import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();
const idle = { name: "idle.service", options: [], desiredState: "inactive" };

describe("stop", () => {
  it("says what it can't stop", async () => {
    answerWith(clusterOf([], [idle]));
    expect(await run(["stop", "idle", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Unit none.service does not exist.\nUnable to stop unit idle.service in state inactive\n",
    });
  });
});

describe.each(["stop", "unload"])("%s of units that are not there", (command) => {
  it("is no error, and names what may have been meant", async () => {
    answerWith(clusterOf([], [idle]));
    expect(await run([command, "idel"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "Units not found in registry\nUnit idel.service does not exist. Did you mean idle.service?\n",
    });
  });
});

it.each(["submit", "load", "start", "stop", "unload", "destroy", "restart"])(
  "%s of no units is no error",
  async (command) => {
    expect(await run([command])).toEqual({ code: 0, stdout: "", stderr: "No units given\n" });
  },
);

it("status of no units is no error, and says nothing", async () => {
  expect(await run(["status"])).toEqual({ code: 0, stdout: "", stderr: "" });
});
