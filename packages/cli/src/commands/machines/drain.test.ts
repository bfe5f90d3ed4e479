import { expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, HASH, id, state, unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();
const other = "2".repeat(32);

it("a drain tells of units that have moved before it looks for the first time, and of those that fail there", async () => {
  let isCordoned = false;
  const failed = { ...state, hash: HASH, machineID: other, systemdActiveState: "failed", systemdResult: "signal" };
  answerWith((method, path) => {
    if (path.endsWith("/cordon")) isCordoned = true;
    if (path.startsWith("/machines") && method === "GET")
      return { body: { machines: [{ id }, { id: other, hostname: "node2" }] } };
    const now = isCordoned ? { ...unit, machineID: other } : unit;
    return clusterOf([isCordoned ? failed : state], [now])(method, path);
  });
  expect(await run(["drain", id])).toEqual({
    code: 1,
    stdout: "Machine 113f16a7... draining\nUnit a.service moved to 22222222...\n",
    stderr: expect.stringMatching(/^Error: unit a\.service on node2 failed: signal/),
  });
});
