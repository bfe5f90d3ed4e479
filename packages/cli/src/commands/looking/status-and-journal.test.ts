import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id, state, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("status and journal", () => {
  it("say what is not there or not loaded", async () => {
    answerWith(clusterOf([], [{ ...unit, currentState: "inactive" }]));
    expect(await run(["status", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: Unit none.service does not exist. No machine is called none either.\n",
    });
    const { code, stderr } = await run(["status", "a"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Unit a\.service does not appear to be loaded\.\n/);
    expect((await run(["journal", "a"])).stderr).toContain("does not appear to be loaded");
  });
  it("tell why a machine could not load a unit", async () => {
    answerWith(clusterOf([{ ...state, error: "bad setting" }], [{ ...unit, currentState: "inactive" }]));
    expect((await run(["status", "a"])).stderr).toContain(
      `machine 113f16a7.../192.0.2.9 failed to load it: bad setting`,
    );
  });
  it("tell beside systemd's words what is wrong with a unit", async () => {
    answerWith(clusterOf([{ ...state, error: "a dependency failed" }], [unit]));
    const local = { localMachineID: id, run: async () => 3 };
    expect(await run(["status", "a"], local)).toMatchObject({
      code: 3,
      stderr: "Unit a.service on 113f16a7.../192.0.2.9: a dependency failed\n",
    });
    answerWith(clusterOf([state], [unit]));
    expect((await run(["status", "a"], local)).stderr).toBe("");
  });
  it("refuse what would not be a number or a format", async () => {
    expect((await run(["journal", "--lines=many", "a"])).stderr).toContain('invalid --lines "many"');
    expect((await run(["journal", "--output=a b", "a"])).stderr).toContain("invalid --output");
    expect((await run(["status", "--ssh-port=x", "a"])).code).toBe(1);
  });
});
