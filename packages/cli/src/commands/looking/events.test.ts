import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { id } from "../../testing/one-unit.ts";

const { run, answerAll } = fakeServer();

describe("events", () => {
  it("are printed one a line, or as JSON, and gaps are warned of", async () => {
    const event = {
      kind: "moved",
      time: "2026-01-01T00:00:00.000Z",
      revision: 7,
      cause: "its machine is gone",
      unit: "a.service",
      machineID: id,
      previousMachineID: "2".repeat(32),
    };
    answerAll((_method, path) => ({
      stream: (response) => {
        expect(path).toBe("/events?unit=a.service&kind=moved&follow=false");
        response.writeHead(200, { "content-type": "text/event-stream", server: "fleetd/2.0.0" });
        response.end(
          `event: gap\ndata: {"message":"older ones are gone"}\n\nid: 7\ndata: ${JSON.stringify(event)}\n\n`,
        );
      },
    }));
    expect(await run(["events", "--kind", "moved", "a"])).toEqual({
      code: 0,
      stdout:
        "2026-01-01T00:00:00.000Z  moved         a.service from 22222222... to 113f16a7... (its machine is gone) [revision 7]\n",
      stderr: "WARNING: older ones are gone\n",
    });
    expect(JSON.parse((await run(["events", "--output=json", "--kind=moved", "a"])).stdout)).toEqual(event);
  });
  it("are as many of the latest as are asked for", async () => {
    answerAll(() => ({
      stream: (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (const revision of [1, 2, 3])
          response.write(
            `id: ${revision}\ndata: ${JSON.stringify({ kind: "started", time: "t", revision, cause: "c" })}\n\n`,
          );
        response.end();
      },
    }));
    const { stdout } = await run(["events", "-n", "2"]);
    expect(stdout.match(/revision \d/g)).toEqual(["revision 2", "revision 3"]);
    expect((await run(["events", "-n", "2", "-f"])).stderr).toContain("does not go with --follow");
    expect((await run(["events", "-n", "x"])).stderr).toContain('invalid --lines "x": expected a number');
  });
  it("of machines are asked for by ID, however they are named, lost ones too, and an unknown name is an error", async () => {
    const lost = { id: "2".repeat(32), hostname: "node2", primaryIP: "192.0.2.2", state: "lost" };
    let asked = "";
    answerAll((_method, path) => {
      if (path.startsWith("/machines"))
        return { body: { machines: [{ id, hostname: "node1" }, ...(path.includes("lost") ? [lost] : [])] } };
      asked = path;
      return { stream: (response) => response.writeHead(200, { "content-type": "text/event-stream" }).end() };
    });
    expect((await run(["events", "--machine", "node1", "--machine", "192.0.2.2"])).code).toBe(0);
    expect(asked).toBe(`/events?machine=${id}&machine=${lost.id}&follow=false`);
    expect(await run(["events", "--machine", "node3"])).toMatchObject({
      code: 1,
      stderr: "Error: Machine node3 does not exist.\n",
    });
  });
  it("of an old server are not there, and it says so", async () => {
    expect((await run(["events"])).stderr).toBe("Error: this server is too old to report events\n");
    expect((await run(["events", "--kind=x"])).stderr).toContain('invalid --kind "x"');
    expect((await run(["events", "--after=x"])).stderr).toContain('invalid --after "x"');
  });
});

describe("a server that goes away", () => {
  it("is named at once by commands that follow it", async () => {
    const { code, stderr } = await run(["events", "-f"], { env: { FLEETCTL_ENDPOINT: "http://127.0.0.1:1" } });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("connection refused") });
  });
});
