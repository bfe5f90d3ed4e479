import { describe, expect, it } from "vitest";
import { type Answer, fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, GLOBAL, id, state, unit } from "../../testing/one-unit.ts";

const { run, requests, answerWith, answerAll } = fakeServer();

const other = "22222222bbbbbbbbbbbbbbbbbbbbbbbb";
const machines = [
  { id, primaryIP: "192.0.2.9", hostname: "h1" },
  { id: other, primaryIP: "192.0.2.10", hostname: "h2" },
];
const global = { name: GLOBAL.name, options: GLOBAL.options, desiredState: "launched" };
const copies = [id, other].map((machineID) => ({ ...state, name: GLOBAL.name, hash: GLOBAL.hash, machineID }));
const cluster = clusterOf([state, ...copies], [unit, global]);
const active = { loadState: "loaded", activeState: "active", subState: "running" };

/** A cluster whose machines answer with this, by path; nothing: they can't be asked. */
function linked(answers: Readonly<Record<string, object>>) {
  answerWith((method, path): Answer => {
    if (path.startsWith("/machines")) return { body: { machines } };
    if (/\/status\b|^\/usage/.test(path)) {
      const body = answers[path];
      return body === undefined ? { status: 501, body: { error: { message: "no link_listen" } } } : { body };
    }
    return cluster(method, path);
  });
}

describe("status over the API", () => {
  it("shows a unit on its machine, with systemctl's exit code", async () => {
    const failed = { unit: "a.service", machineID: id, hostname: "h1", ...active, activeState: "failed" };
    linked({ "/units/a.service/status?lines=3": { units: [failed] } });
    const { code, stdout, stderr } = await run(["status", "-n", "3", "a"]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(stdout).toContain("× a.service\n    Machine: h1 (");
  });
  it("shows several, with an empty line between, and says which machine did not answer", async () => {
    const units = [
      { unit: "g.service", machineID: id, hostname: "h1", ...active },
      { unit: "g.service", machineID: other, error: "h2 did not answer within 10 s" },
    ];
    linked({
      "/units/g.service/status?lines=10": { units },
      "/units/a.service/status?lines=10": { units: [{ ...units[0], unit: "a.service" }] },
    });
    const { code, stdout, stderr } = await run(["status", "[ag].service", "--no-block"]);
    expect(code).toBe(1);
    expect(stdout.match(/^● \w\.service$/gm)).toEqual(["● a.service", "● g.service"]);
    expect(stdout).toContain("(running)\n\n● g.service");
    expect(stderr).toBe("Error: unit g.service on h2: h2 did not answer within 10 s\n");
    expect((await run(["status", "--machine=h1", "g"])).code).toBe(0);
    // What nothing is shown of has no empty line of its own.
    expect((await run(["status", "--machine=h2", "g", "a"])).stdout).toMatch(/^● a\.service\n/);
  });
  it("shows a machine where no unit has that name", async () => {
    linked({ [`/usage?machine=${other}`]: { machines: [{ machineID: other, load: [1, 2, 3] }] } });
    const { code, stdout } = await run(["status", "h2"]);
    expect({ code, first: stdout.split("\n")[0] }).toEqual({ code: 0, first: "● h2" });
    expect(stdout).toContain("       Load: 1.00, 2.00, 3.00\n      Units: 1: 1 running\n");
    expect(JSON.parse((await run(["status", "-o", "json", "h2"])).stdout)).toMatchObject([
      { machine: other, usage: { load: [1, 2, 3] }, units: [{ name: "g.service" }] },
    ]);
    expect((await run(["status", "22"])).stderr).toBe(
      "Error: Unit 22.service does not exist. No machine is called 22 either.\n",
    );
    expect((await run(["status", "h3.service"])).stderr).toBe("Error: Unit h3.service does not exist.\n");
  });
  it("shows a lost machine as such, and does not wait for it", async () => {
    const lost = { id: "3".repeat(32), hostname: "h3", state: "lost", since: "2026-01-01T00:00:00.000Z" };
    answerWith((method, path) => {
      if (path.startsWith("/usage")) throw new Error("it is not to be asked");
      return path === "/machines?lost=true" ? { body: { machines: [...machines, lost] } } : cluster(method, path);
    });
    const { code, stdout } = await run(["status", "h3"]);
    expect(code).toBe(1);
    expect(stdout).toContain("State: lost since 2026-01-01T00:00:00.000Z\n");
    expect(stdout).toContain("Usage: not known: the machine is lost\n");
  });
  it("adds what systemd says to JSON", async () => {
    const units = [{ unit: "a.service", machineID: id, ...active }];
    linked({ "/units/a.service/status?lines=10": { units } });
    expect(JSON.parse((await run(["status", "-o", "json", "a"])).stdout)).toMatchObject([
      { unit: "a.service", machineID: id, states: [{}], status: units },
    ]);
  });
});

it("machines of several units are asked at the same time", async () => {
  let asked = 0;
  const units = [{ unit: "a.service", machineID: id, ...active }];
  answerAll((method, path): Answer => {
    if (path.startsWith("/machines")) return { body: { machines } };
    if (!/\/status\b/.test(path)) return cluster(method, path);
    asked++;
    const begun = performance.now();
    return {
      stream: (response) => {
        // An answer comes once both were asked, or never.
        const timer = setInterval(() => {
          if (asked < 2 && performance.now() - begun < 2_000) return;
          clearInterval(timer);
          response.writeHead(asked < 2 ? 500 : 200, { "content-type": "application/json" });
          response.end(JSON.stringify({ units: path.includes("a.service") ? units : [] }));
        }, 5);
      },
    };
  });
  expect((await run(["status", "a", "g"])).stdout).toContain("● a.service");
});

describe("status over SSH", () => {
  const local = (commands: string[][]) => ({
    localMachineID: id,
    run: async (command: readonly string[]) => {
      commands.push([...command]);
      return 3;
    },
  });
  it("is as it was where the API has no link, or --ssh asks for it", async () => {
    for (const args of [
      ["status", "a"],
      ["status", "--ssh", "a"],
    ]) {
      const commands: string[][] = [];
      linked({});
      expect(await run(args, local(commands))).toEqual({ code: 3, stdout: "", stderr: "" });
      expect(commands).toEqual([["systemctl", "status", "-l", "--no-pager", "--", "a.service"]]);
    }
    expect(requests().filter((entry) => entry.includes("/status"))).toHaveLength(1);
  });
  it("of a machine reads what its kernel tells", async () => {
    linked({});
    const { stdout } = await run(["status", "h1"], {
      localMachineID: id,
      async *lines() {
        yield* ["/proc/loadavg:0.50 0.25 0.00 1/123 456", "/proc/stat:cpu0 1 0 0 9", "/proc/stat:cpu1 1 0 0 9", "--"];
      },
    });
    expect(stdout).toContain("       Load: 0.50, 0.25, 0.00 (2 CPUs)\n");
  });
});
