import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("explain", () => {
  it("says where a unit waits and why, machines with one reason together", async () => {
    const placement = {
      name: "a.service",
      desiredState: "launched",
      global: false,
      machines: 10000,
      fitting: 0,
      summary: "it waits: it fits none of 10000 machines",
      reasons: [
        { reason: "its metadata lacks disk=ssd", machines: 9999, examples: [id, id, id] },
        { reason: "it conflicts with b.service there", machines: 1, examples: [id] },
      ],
    };
    answerWith((_method, path) => (path.endsWith("/placement") ? { body: placement } : { status: 404 }));
    expect((await run(["explain", "a"])).stdout).toBe(
      "Unit a.service: it waits: it fits none of 10000 machines\n" +
        "  9999 machines  its metadata lacks disk=ssd (113f16a7..., 113f16a7..., 113f16a7..., ...)\n" +
        "     1 machine   it conflicts with b.service there (113f16a7...)\n",
    );
    expect(JSON.parse((await run(["explain", "a", "--output=json"])).stdout)).toEqual(placement);
  });
  it("tells a unit that is not there from a server that can't explain", async () => {
    answerWith(clusterOf([], [unit]));
    answerWith((_method, path) => (path === "/units/a.service" ? { body: unit } : { status: 404 }));
    expect((await run(["explain", "none"])).stderr).toBe("Error: Unit none.service does not exist.\n");
    expect((await run(["explain", "a"])).stderr).toContain("older than this fleetctl");
  });
});
