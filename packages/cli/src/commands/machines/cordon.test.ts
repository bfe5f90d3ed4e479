import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id } from "../../testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();
const absent = "f".repeat(32);
const changes = (): readonly string[] => requests().filter((entry) => !entry.startsWith("GET"));
const cluster = (method: string, path: string) =>
  method === "DELETE" ? { status: 204 } : clusterOf([], [])(method, path);

describe("cordon and uncordon", () => {
  it("take machines by ID, address or the beginning of the ID", async () => {
    answerWith(cluster);
    expect((await run(["cordon", "192.0.2.9"])).stdout).toBe("Machine 113f16a7... cordoned\n");
    expect((await run(["uncordon", "113", id])).stdout).toBe("Machine 113f16a7... uncordoned\n");
    expect(changes()).toEqual([`PUT /machines/${id}/cordon {"drain":false}`, `DELETE /machines/${id}/cordon`]);
  });
  it("touch no machine where a name is wrong", async () => {
    answerWith(cluster);
    expect((await run(["cordon", "113", "none"])).stderr).toBe("Error: Machine none does not exist.\n");
    expect(changes()).toEqual([]);
  });
  it("reach the cordon of a machine that is not there, by its whole ID", async () => {
    answerWith(cluster);
    expect((await run(["uncordon", absent])).stdout).toBe("Machine ffffffff... uncordoned\n");
    expect((await run(["uncordon", "ffff"])).code).toBe(1);
    expect((await run(["cordon", absent])).code).toBe(1);
    expect(changes()).toEqual([`DELETE /machines/${absent}/cordon`]);
  });
});
