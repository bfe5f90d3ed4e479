import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id, state, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("explain", () => {
  it("says where a unit waits and why, machines with one reason together", async () => {
    const placement = {
      name: "a.service",
      desiredState: "launched",
      global: false,
      machines: 10000,
      fitting: 0,
      summary: "pending: none of 10000 machines fits",
      reasons: [
        { reason: "its metadata lacks disk=ssd", machines: 9999, examples: [id, id, id] },
        { reason: "it conflicts with b.service there", machines: 1, examples: [id] },
      ],
    };
    answerWith((method, path) =>
      path.endsWith("/placement") ? { body: placement } : clusterOf([], [unit])(method, path),
    );
    expect((await run(["explain", "a"])).stdout).toBe(
      "Unit a.service: pending: none of 10000 machines fits\n" +
        "  9999 machines  its metadata lacks disk=ssd (113f16a7..., 113f16a7..., 113f16a7..., ...)\n" +
        "     1 machine   it conflicts with b.service there (113f16a7...)\n",
    );
    expect(JSON.parse((await run(["explain", "a", "--output=json"])).stdout)).toEqual(placement);
  });
  it("says on which machines a unit is in trouble, and why", async () => {
    const placement = {
      ...{ name: "a.service", desiredState: "launched", global: true, machines: 1, fitting: 1 },
      ...{ summary: "it runs on 1 of 1 machines", reasons: [] },
    };
    const failed = { ...state, systemdActiveState: "failed", systemdResult: "exit-code", exitStatus: 2 };
    answerWith((method, path) => {
      if (path.endsWith("/placement")) return { body: placement };
      if (path.startsWith("/machines")) return { body: { machines: [{ id, hostname: "node1" }] } };
      return clusterOf([{ ...failed, error: "the start job failed" }], [unit])(method, path);
    });
    expect((await run(["explain", "a"])).stdout).toBe(
      "Unit a.service: it runs on 1 of 1 machines\n" +
        "  on node1: failed: exit status 2 (exit-code): the start job failed\n",
    );
  });
  it("calls machines by their names, with --full by their whole IDs", async () => {
    const placement = {
      ...{ name: "a.service", desiredState: "launched", global: false, machines: 2, fitting: 1 },
      summary: `on machine ${id}: one of 2 machines that fit`,
      reasons: [{ reason: `it follows b.service, which is on ${id}`, machines: 1, examples: ["2".repeat(32)] }],
    };
    answerWith((method, path) => {
      if (path.endsWith("/placement")) return { body: placement };
      if (path.startsWith("/machines")) return { body: { machines: [{ id, hostname: "node1" }] } };
      return clusterOf([], [unit])(method, path);
    });
    expect((await run(["explain", "a"])).stdout).toBe(
      "Unit a.service: on machine node1: one of 2 machines that fit\n" +
        "     1 machine   it follows b.service, which is on node1 (22222222...)\n",
    );
    expect((await run(["explain", "--full", "a"])).stdout).toContain(`on machine ${id}: one of`);
  });
  it("tells a unit that is not there from a server that can't explain", async () => {
    answerWith(clusterOf([], [unit]));
    expect((await run(["explain", "none"])).stderr).toBe("Error: Unit none.service does not exist.\n");
    expect((await run(["explain", "a"])).stderr).toContain("this server is too old to explain placements");
  });
});
