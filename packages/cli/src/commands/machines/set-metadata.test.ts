import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id } from "../../testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();

describe("set-metadata", () => {
  it("sets and removes keys of a machine, all in one request", async () => {
    answerWith((method, path) => (method === "PATCH" ? { status: 204 } : clusterOf([], [])(method, path)));
    expect(await run(["set-metadata", "192.0.2.9", "disk=ssd", "a=", "x=b=c"])).toEqual({
      code: 0,
      stdout: "Machine 113f16a7... disk=ssd, a removed, x=b=c\n",
      stderr: "",
    });
    const sent = requests().find((entry) => entry.startsWith("PATCH"));
    expect(JSON.parse(sent?.replace("PATCH /machines ", "") ?? "null")).toEqual([
      { op: "add", path: `/${id}/metadata/disk`, value: "ssd" },
      { op: "remove", path: `/${id}/metadata/a` },
      { op: "add", path: `/${id}/metadata/x`, value: "b=c" },
    ]);
  });
  it.each([
    [["set-metadata", "113f"], "nothing to set: expected KEY=VALUE"],
    [["set-metadata", "113f", "disk"], 'invalid metadata "disk": expected KEY=VALUE'],
    [["set-metadata", "113f", "a b=c"], 'invalid metadata "a b=c"'],
    [["set-metadata", "none", "a=b"], "Machine none does not exist"],
  ])("%j is refused, and nothing is changed", async (args, message) => {
    answerWith(clusterOf([], []));
    expect(await run(args)).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    expect(requests().filter((entry) => entry.startsWith("PATCH"))).toEqual([]);
  });
});
