import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, options, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("--no-block", () => {
  it.each([
    ["load", "loaded"],
    ["start", "launched"],
    ["stop", "loaded"],
    ["unload", "inactive"],
  ])("%s prints what it has triggered", async (command) => {
    answerWith(clusterOf([], [{ ...unit, desiredState: command === "load" ? "inactive" : "loaded" }]));
    expect((await run([command, "--no-block", "a"])).stdout).toBe(`Triggered unit a.service ${command}\n`);
  });
  it("global units are never waited for", async () => {
    const global = [...options, { section: "X-Fleet", name: "Global", value: "true" }];
    answerWith(clusterOf([], [{ name: "g.service", options: global, desiredState: "inactive" }]));
    answerWith((method) =>
      method === "PUT" ? { status: 204 } : { body: { name: "g.service", options: global, desiredState: "inactive" } },
    );
    expect((await run(["start", "g"])).stdout).toBe("Triggered global unit g.service start\n");
  });
});
