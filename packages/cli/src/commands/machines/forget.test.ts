import { beforeEach, describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id } from "../../testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();
const lost = {
  ...{ id: "f".repeat(32), primaryIP: "192.0.2.77", hostname: "gone", state: "lost", since: "2026-01-01T00:00:00Z" },
};
const changes = (): readonly string[] => requests().filter((entry) => !entry.startsWith("GET"));

beforeEach(() =>
  answerWith((method, path) => {
    if (method === "DELETE") return { status: 204 };
    if (path === "/machines?lost=true") return { body: { machines: [{ id, primaryIP: "192.0.2.9" }, lost] } };
    return clusterOf([], [])(method, path);
  }),
);

describe("a lost machine", () => {
  it("is forgotten by its name", async () => {
    expect(await run(["forget", "gone"])).toEqual({ code: 0, stdout: "Machine ffffffff... forgotten\n", stderr: "" });
    expect(changes()).toEqual([`DELETE /machines/${lost.id}`]);
  });
  it("is uncordoned by its name", async () => {
    expect((await run(["uncordon", "gone"])).stdout).toBe("Machine ffffffff... uncordoned\n");
  });
  it("is listed on request, and counted where there is a header", async () => {
    const fields = "--fields=machine,hostname,state,since";
    expect((await run(["list-machines", "--all", "--no-legend", fields])).stdout.split("\n")[1]).toBe(
      "ffffffff...\tgone\tlost\t2026-01-01T00:00:00Z",
    );
    const { stdout, stderr } = await run(["list-machines"]);
    expect(stdout).not.toContain("ffffffff");
    expect(stderr).toBe('1 machine is lost: see "fleetctl list-machines --all".\n');
    expect((await run(["list-machines", "--no-legend"])).stderr).toBe("");
  });
});

it("a machine that is here, or is none, is not forgotten", async () => {
  expect((await run(["forget", "113f"])).stderr).toBe(
    "Error: machine 113f is not lost: only a lost machine can be forgotten\n",
  );
  expect((await run(["forget", "gone", "none"])).stderr).toBe("Error: Machine none does not exist.\n");
  expect(changes()).toEqual([]);
});
