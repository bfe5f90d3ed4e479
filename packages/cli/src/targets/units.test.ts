import { describe, expect, it } from "vitest";
import { fakeServer } from "../testing/fake-server.ts";
import { clusterOf, id, state, unit } from "../testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();

it("an instance is meant by the name of its template", async () => {
  const names = ["web@2.service", "web@.service", "web@1.service", "w.service"];
  answerWith(
    clusterOf(
      [],
      names.map((name) => ({ ...unit, name })),
    ),
  );
  expect((await run(["journal", "web"])).stderr).toBe(
    "Error: Unit web.service does not exist. Did you mean web@1.service?\n",
  );
});
describe("a unit that a machine has and the registry does not know", () => {
  const lost = { ...state, name: "lost.service", unknown: true };
  const hint =
    'It runs on 113f16a7.../192.0.2.9 but is unknown to the registry, as after a restore from a backup: "fleetctl destroy lost.service" removes it, "fleetctl start FILE" adopts it.';
  it.each([["status"], ["explain"], ["journal"], ["restart"]])("is told of by %s", async (command) => {
    answerWith(clusterOf([state, lost], [unit]));
    expect(await run([command, "lost"])).toMatchObject({
      code: 1,
      stderr: `Error: Unit lost.service does not exist. ${hint}\n`,
    });
  });
  it("is listed as such, and counted", async () => {
    answerWith(clusterOf([state, lost], [unit]));
    const { stderr } = await run(["list-units"]);
    expect(stderr).toMatch(/^1 unit is unknown to the registry: see "fleetctl list-units --state unknown"/);
    expect((await run(["list-units", "--no-legend"])).stderr).toBe("");
    const unknown = ["list-units", "--state=unknown"];
    expect((await run([...unknown, "--no-legend", "--fields=unit"])).stdout).toBe("lost.service\n");
    expect(JSON.parse((await run([...unknown, "--output=json"])).stdout)).toMatchObject([{ unknown: true }]);
  });
  it("is destroyed, which waits until its machine has let go of it", async () => {
    let looks = 0;
    answerWith((method, path) => {
      if (method === "DELETE") return { status: 204 };
      if (path.startsWith("/machines")) return { body: { machines: [{ id }] } };
      return path.startsWith("/state") ? { body: { states: looks++ === 0 ? [lost] : [] } } : { status: 404 };
    });
    expect(await run(["destroy", "lost"])).toEqual({ code: 0, stdout: "Destroyed lost.service\n", stderr: "" });
    expect(requests().filter((entry) => entry.startsWith("GET /state")).length).toBeGreaterThan(1);
  });
});
