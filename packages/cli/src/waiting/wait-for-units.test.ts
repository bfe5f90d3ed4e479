import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { type Answer, fakeServer } from "../testing/fake-server.ts";
import { clusterOf, unit } from "../testing/one-unit.ts";

const { run, requests, answerWith, answerAll } = fakeServer();

describe("waiting", () => {
  const events = (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": open\n\n");
  };
  const event = { kind: "active", time: "2026-01-01T00:00:00Z", revision: 1, cause: "", unit: "a.service" };
  it("follows the events, and asks once more for each", async () => {
    let isThere = false;
    answerAll((method, path): Answer => {
      if (path.startsWith("/events")) {
        return {
          stream: (response) => {
            events(response);
            setTimeout(() => {
              isThere = true;
              response.write(`id: 1\ndata: ${JSON.stringify(event)}\n\n`);
            }, 300);
          },
        };
      }
      if (method === "PUT") return { status: 204 };
      if (path.startsWith("/machines")) return { body: { machines: [] } };
      if (path.startsWith("/state")) return { body: { states: [] } };
      return { body: { ...unit, desiredState: "inactive", currentState: isThere ? "loaded" : "inactive" } };
    });
    expect((await run(["load", "a"])).stdout).toContain("Unit a.service loaded");
    // Once for the command itself, twice for what to wait for, once for the event: none in between.
    expect(requests().filter((entry) => entry.startsWith("GET /units/a.service")).length).toBeLessThan(6);
  });
  it("asks again and again where a server tells no events", async () => {
    let reads = 0;
    answerWith((method, path) => {
      if (method === "PUT") return { status: 204 };
      if (path.startsWith("/machines")) return { body: { machines: [] } };
      if (path.startsWith("/state")) return { body: { states: [] } };
      return { body: { ...unit, desiredState: "inactive", currentState: reads++ > 4 ? "loaded" : "inactive" } };
    });
    expect((await run(["load", "a"])).stdout).toContain("Unit a.service loaded");
  });
  it("shows how far many units are, where somebody looks", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `a@${index}.service`);
    answerWith(
      clusterOf(
        [],
        names.map((name) => ({ ...unit, name, desiredState: "loaded", currentState: "loaded" })),
      ),
    );
    expect((await run(["load", ...names])).stderr).toBe("");
    expect((await run(["load", "--block-attempts=1", ...names, "a@99.service"], { isWatched: true })).stderr).toContain(
      "Error",
    );
  });
});

describe("a server that goes away while something is waited for", () => {
  it("is waited for too, as long as it has answered before", async () => {
    let reads = 0;
    answerWith((method, path) => {
      if (method === "PUT") return { status: 204 };
      if (path.startsWith("/machines")) return { body: { machines: [] } };
      if (path.startsWith("/state")) return { body: { states: [] } };
      if (path.startsWith("/events")) return { status: 404 };
      reads++;
      if (reads > 3 && reads < 6) return { status: 503, body: { error: { code: 503, message: "away" } } };
      return { body: { ...unit, desiredState: "inactive", currentState: reads > 5 ? "loaded" : "inactive" } };
    });
    expect(await run(["load", "a"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Unit a.service loaded"),
    });
  });
  it("ends a command that has not begun", async () => {
    answerWith(() => ({ status: 503, body: { error: { code: 503, message: "away" } } }));
    expect(await run(["load", "a"])).toMatchObject({ code: 1, stderr: "Error: away\n" });
  });
  it("has waiting go on by asking where it takes no more readers of events", async () => {
    answerAll((method, path) => {
      if (path.startsWith("/events")) return { status: 429, body: { error: { code: 429, message: "too many" } } };
      if (method === "PUT") return { status: 204 };
      if (path.startsWith("/machines")) return { body: { machines: [] } };
      if (path.startsWith("/state")) return { body: { states: [] } };
      return { body: { ...unit, desiredState: "inactive", currentState: "loaded" } };
    });
    expect((await run(["load", "a"])).stdout).toContain("Unit a.service loaded");
  });
});
