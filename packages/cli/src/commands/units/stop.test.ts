import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";

const { run, answerWith } = fakeServer();

describe("stop", () => {
  it("says what it can't stop", async () => {
    answerWith((_method, path) =>
      path.includes("idle")
        ? { body: { name: "idle.service", options: [], desiredState: "inactive" } }
        : { status: 404 },
    );
    expect(await run(["stop", "idle", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Unable to stop unit idle.service in state inactive\nError: Unit none.service does not exist.\n",
    });
  });
});
