import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TestCA } from "../../../testbed/certificates.ts";
import { isOlder, newer } from "./client/version.ts";
import type { SshFlags } from "./command-line/flag-values.ts";
import { readGlobalFlags } from "./command-line/global-flags.ts";
import { COMMANDS } from "./commands/index.ts";
import { completionOf } from "./completion/complete.ts";
import { completionScript } from "./completion/scripts.ts";
import { formatTable } from "./printing/table.ts";
import { shellWord } from "./ssh/quote.ts";
import { readSshHost, sshCommand } from "./ssh/ssh-command.ts";
import { type Answer, fakeServer } from "./testing/fake-server.ts";

const { socket, run, requests, answerWith, answerAll } = fakeServer();
const id = "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa";
const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const HASH = "37a3bc1b4b9dc1cd9a6a4ac7ab0ae67f6ec87f4b";

describe("help", () => {
  it.each(["", ...COMMANDS.filter(({ isHidden }) => isHidden !== true).map(({ name }) => name)])(
    "fleetctl %s --help is as written down",
    async (name) => {
      const { code, stdout, stderr } = await run(name === "" ? ["--help"] : [name, "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      await expect(stdout).toMatchFileSnapshot(`testing/help/${name || "fleetctl"}.txt`);
      expect((await run(name === "" ? ["help"] : ["help", name])).stdout).toBe(stdout);
      expect((await run(["help", "list-m"])).stdout).toContain("Usage: fleetctl list-machines");
      expect((await run(["help", "nosuch"])).stderr).toBe('Error: unknown command "nosuch". See "fleetctl help".\n');
    },
  );
});

describe("beginnings of command names", () => {
  const classic = ["help", "version", ...COMMANDS.filter(({ isClassic }) => isClassic).map(({ name }) => name)];
  it.each(classic)("%s is found by every beginning that was unique to the old fleetctl", async (name) => {
    for (let length = 1; length <= name.length; length++) {
      const begin = name.slice(0, length);
      if (classic.filter((other) => other.startsWith(begin)).length > 1 && begin !== name) continue;
      const { stdout } = await run([begin, "--help"]);
      expect(stdout).toContain(name === "help" || name === "version" ? "fleetctl" : `Usage: fleetctl ${name} `);
    }
  });
});

describe("ssh", () => {
  const flags: SshFlags = {
    tunnel: null,
    username: "core",
    timeoutMs: 2500,
    knownHostsFile: "/home/a b/known%hosts",
    isStrict: true,
  };
  const target = { host: "192.0.2.1", port: null };
  it("is run with this tool's user, time-out, known-hosts file and policy", () => {
    expect(sshCommand(flags, target, { kind: "command", line: "true" })).toEqual([
      ...["ssh", "-o", "StrictHostKeyChecking=ask", "-o", 'UserKnownHostsFile="/home/a b/known%%hosts"'],
      ...["-o", "ConnectTimeout=3", "-o", "User=core", "--", "192.0.2.1", "true"],
    ]);
    expect(sshCommand({ ...flags, isStrict: false }, target, { kind: "shell" })).toContain("StrictHostKeyChecking=no");
  });
  it("reaches a machine through the bastion by a command that a shell reads as it was meant", () => {
    const words = sshCommand({ ...flags, tunnel: "bastion:2222" }, target, { kind: "shell" }, { port: 23 });
    expect(words.slice(-4)).toEqual(["-p", "23", "--", "192.0.2.1"]);
    const proxy = words.find((word) => word.startsWith("ProxyCommand="))?.slice("ProxyCommand=".length) ?? "";
    const parsed = execFileSync("sh", ["-c", `printf '<%s>' ${proxy.replaceAll("%%", "%")}`], { encoding: "utf8" });
    expect(parsed).toBe(
      '<ssh><-o><StrictHostKeyChecking=ask><-o><UserKnownHostsFile="/home/a b/known%%hosts"><-o><ConnectTimeout=3><-o><User=core><-p><2222><-W><[%h]:%p><bastion>',
    );
  });
  it.each([
    ["bastion", { host: "bastion", port: null }],
    ["me@bastion:22", { host: "bastion", user: "me", port: 22 }],
    ["[2001:db8::1]:22", { host: "2001:db8::1", port: 22 }],
    ["2001:db8::1", { host: "2001:db8::1", port: null }],
  ])("reads %s", (text, host) => expect(readSshHost(text, "--tunnel")).toEqual(host));
  it.each(["-oProxyCommand=id", "a b", "host:0", "host:70000", "", "$(id)"])("refuses %j as a host", (text) => {
    expect(() => readSshHost(text, "--tunnel")).toThrow("invalid --tunnel");
  });
  it("forwards the agent where that is asked for", () => {
    const task = { kind: "shell" } as const;
    expect(sshCommand(flags, target, task, { forwardAgent: true })).toContain("-A");
    expect(sshCommand(flags, target, task)).not.toContain("-A");
  });
  it("asks which is meant where a name is a machine's and a unit's", async () => {
    answerWith((_method, path) =>
      path.startsWith("/machines")
        ? { body: { machines: [{ id: "abc.service", primaryIP: "192.0.2.9" }] } }
        : { body: unit },
    );
    expect((await run(["ssh", "abc.service", "true"])).stderr).toContain("is both a machine and a unit");
  });
  it("makes one word of any text", () => {
    for (const text of ["", "a", "a b", "'", "$(id)", "\n", "\\", "*", "é", "-x", "a'b\"c`d"]) {
      expect(execFileSync("sh", ["-c", `printf %s ${shellWord(text)}`], { encoding: "utf8" })).toBe(text);
    }
  });
  it("refuses flags that contradict each other, or make no sense", async () => {
    expect((await run(["ssh", "--machine", "a", "--unit", "b"])).stderr).toContain("can't be used together");
    expect((await run(["ssh"])).stderr).toContain("name a machine or a unit");
    expect((await run(["--ssh-timeout=x", "list-units"])).stderr).toContain('invalid --ssh-timeout "x"');
    expect((await run(["--strict-host-key-checking=maybe", "list-units"])).code).toBe(1);
    expect((await run(["--ssh-username=-x", "list-units"])).stderr).toContain("invalid --ssh-username");
    expect((await run(["--driver=etcd", "--tunnel=x", "list-units"])).stderr).toContain("not etcd");
  });
});

const world = (states: object[] = [], units: object[] = []) =>
  answerWith((method, path) => {
    if (method === "PUT") return { status: 204 };
    if (path.startsWith("/machines"))
      return { body: { machines: [{ id, primaryIP: "192.0.2.9", metadata: { a: "1" } }] } };
    if (path.startsWith("/state")) return { body: { states } };
    const name = decodeURIComponent(path.split("/")[2] ?? "");
    if (name === "") return { body: { units } };
    const unit = units.find((entry) => (entry as { name: string }).name === name);
    return unit === undefined ? { status: 404 } : { body: unit };
  });
const unit = { name: "a.service", options, desiredState: "launched", currentState: "launched", machineID: id };
const state = {
  name: "a.service",
  hash: HASH,
  machineID: id,
  systemdLoadState: "loaded",
  systemdActiveState: "active",
  systemdSubState: "running",
};

describe("--output json", () => {
  beforeEach(() => world([state], [unit]));
  it.each([
    [["list-machines"], [{ machine: id, ip: "192.0.2.9", metadata: { a: "1" }, state: "ready" }]],
    [
      ["list-units"],
      [{ unit: "a.service", machine: id, load: "loaded", active: "active", sub: "running", hash: HASH, error: null }],
    ],
    [
      ["list-unit-files"],
      [
        {
          unit: "a.service",
          hash: expect.any(String),
          dstate: "launched",
          state: "launched",
          target: id,
          global: false,
          desc: null,
        },
      ],
    ],
    [["cat", "a"], { unit: "a.service", hash: expect.any(String), options, text: "[Service]\nExecStart=/bin/a\n" }],
    [
      ["status", "a"],
      [
        {
          unit: "a.service",
          desiredState: "launched",
          currentState: "launched",
          machineID: id,
          global: false,
          states: [expect.anything()],
        },
      ],
    ],
  ])("%j", async (args, expected) => {
    const { code, stdout } = await run([...args, "--output", "json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(expected);
  });
  it("a field of old goes on working, with a warning", async () => {
    const { stdout, stderr } = await run(["list-unit-files", "--fields=tmachine", "--no-legend"]);
    expect([stdout, stderr]).toEqual([
      "113f16a7.../192.0.2.9\n",
      "WARNING: The field tmachine is deprecated: use target.\n",
    ]);
  });
  it("is refused in any other format", async () => {
    expect((await run(["list-units", "--output=yaml"])).stderr).toBe(
      'Error: invalid --output "yaml": expected text or json\n',
    );
  });
});

describe("colours", () => {
  beforeEach(() => world([state, { ...state, name: "b.service", systemdActiveState: "failed" }]));
  it("are there on a terminal that has them, and nowhere else", async () => {
    const plain = (await run(["list-units"])).stdout;
    expect(plain).not.toContain("\u001b");
    const colored = (await run(["list-units"], { terminal: { hasColors: true } })).stdout;
    expect(colored).toContain("\u001b[32mactive\u001b[0m");
    expect(colored).toContain("\u001b[31mfailed\u001b[0m");
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(plain);
    expect((await run(["list-units"], { terminal: { hasColors: false } })).stdout).toBe(plain);
  });
});

describe("status and journal", () => {
  it("say what is not there or not loaded", async () => {
    world([], [{ ...unit, currentState: "inactive" }]);
    expect(await run(["status", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: Unit none.service does not exist.\n",
    });
    const { code, stderr } = await run(["status", "a"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Unit a\.service does not appear to be loaded\.\n/);
    expect((await run(["journal", "a"])).stderr).toContain("does not appear to be loaded");
  });
  it("tell why a machine could not load a unit", async () => {
    world([{ ...state, error: "bad setting" }], [{ ...unit, currentState: "inactive" }]);
    expect((await run(["status", "a"])).stderr).toContain(`machine ${id} could not load it: bad setting`);
  });
  it("refuse what would not be a number or a format", async () => {
    expect((await run(["journal", "--lines=many", "a"])).stderr).toContain('invalid --lines "many"');
    expect((await run(["journal", "--output=a b", "a"])).stderr).toContain("invalid --output");
    expect((await run(["status", "--ssh-port=x", "a"])).code).toBe(1);
  });
});

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
    world(
      [],
      names.map((name) => ({ ...unit, name, desiredState: "loaded", currentState: "loaded" })),
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
      return { body: { ...unit, desiredState: "loaded", currentState: "loaded" } };
    });
    expect((await run(["load", "a"])).stdout).toContain("Unit a.service loaded");
  });
  it("is named at once by commands that follow it", async () => {
    const { code, stderr } = await run(["events", "-f"], { env: { FLEETCTL_ENDPOINT: "http://127.0.0.1:1" } });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody listens there") });
  });
});

describe("an instance without a file of its own", () => {
  it("is compared with its template's file", async () => {
    const files = { "x/t@.service": "[Service]\nExecStart=/bin/new\n" };
    world([], [{ ...unit, name: "t@1.service", desiredState: "inactive" }]);
    expect((await run(["submit", "x/t@1.service"], { files })).stderr).toBe(
      "WARNING: Unit t@1.service in registry differs from local unit file x/t@.service. Add --replace to override.\n",
    );
    answerWith((method) =>
      method === "PUT" ? { status: 201 } : { body: { ...unit, name: "t@1.service", desiredState: "inactive" } },
    );
    await run(["submit", "--replace", "x/t@1.service"], { files });
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toEqual([
      'PUT /units/t%401.service {"name":"t@1.service","options":[{"section":"Service","name":"ExecStart","value":"/bin/new"}],"desiredState":"inactive"}',
    ]);
  });
});

describe("--replace", () => {
  const files = { "a.service": "[Service]\nExecStart=/bin/new\n" };
  it.each([
    ["submit", "loaded", false],
    ["submit", "inactive", true],
    ["load", "launched", false],
    ["start", "launched", true],
  ])("by %s takes a unit that is %s: %s", async (command, desiredState, isTaken) => {
    world([], [{ ...unit, desiredState }]);
    const { stderr } = await run(
      [command, "--replace", "--no-block", "a.service"].filter((arg) => command !== "submit" || arg !== "--no-block"),
      { files },
    );
    const puts = requests().filter((entry) => entry.startsWith("PUT") && entry.includes("/bin/new"));
    expect(puts).toHaveLength(isTaken ? 1 : 0);
    if (!isTaken) expect(stderr).toContain(`WARNING: Unit a.service is ${desiredState}`);
  });
});

describe("--no-block", () => {
  it.each([
    ["load", "loaded"],
    ["start", "launched"],
    ["stop", "loaded"],
    ["unload", "inactive"],
  ])("%s prints what it has triggered", async (command) => {
    world([], [{ ...unit, desiredState: command === "load" ? "inactive" : "loaded" }]);
    expect((await run([command, "--no-block", "a"])).stdout).toBe(`Triggered unit a.service ${command}\n`);
  });
  it("global units are never waited for", async () => {
    const global = [...options, { section: "X-Fleet", name: "Global", value: "true" }];
    world([], [{ name: "g.service", options: global, desiredState: "inactive" }]);
    answerWith((method) =>
      method === "PUT" ? { status: 204 } : { body: { name: "g.service", options: global, desiredState: "inactive" } },
    );
    expect((await run(["start", "g"])).stdout).toBe("Triggered global unit g.service start\n");
  });
});

describe("destroy and restart", () => {
  it("skip, or name, what is not there or not started", async () => {
    world([], [{ ...unit, desiredState: "inactive", currentState: "inactive" }]);
    expect(await run(["destroy", "none"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await run(["restart", "a", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: Unable to restart unit a.service in state inactive\nError: Unit none.service does not exist.\n",
    });
  });
});

describe("an API that wants TLS and a token", () => {
  it("is reached with --ca-file and --token-file, and without them says what is missing", async () => {
    const ca = new TestCA();
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    const asked: (string | undefined)[] = [];
    const server = createServer({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) }, (request, response) => {
      asked.push(request.headers.authorization);
      response.end(JSON.stringify({ machines: [{ id }] }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const endpoint = `--endpoint=https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(join(ca.folder, "token"), "secret\n");
    try {
      const args = [
        endpoint,
        `--ca-file=${ca.ca}`,
        `--token-file=${join(ca.folder, "token")}`,
        "list-machines",
        "--no-legend",
      ];
      expect(await run(args)).toMatchObject({ code: 0, stdout: "113f16a7...\t-\t-\n" });
      expect(asked).toEqual(["Bearer secret"]);
      expect((await run([endpoint, "list-machines"])).stderr).toContain("name the CA's file with --ca-file");
      expect((await run([endpoint, `--cert-file=${pair.cert}`, "list-machines"])).stderr).toContain("belong together");
    } finally {
      server.closeAllConnections();
      server.close();
      ca.remove();
    }
  });
});

describe("the environment", () => {
  it("stands in for every flag", () => {
    const env = {
      FLEETCTL_TUNNEL: "bastion",
      FLEETCTL_SSH_USERNAME: "me",
      FLEETCTL_SSH_TIMEOUT: "3",
      FLEETCTL_KNOWN_HOSTS_FILE: "~/hosts",
      FLEETCTL_STRICT_HOST_KEY_CHECKING: "false",
      FLEETCTL_DEBUG: "true",
      FLEETCTL_ETCD_KEY_PREFIX: "/x/",
      FLEETCTL_CA_FILE: "/ca",
      HOME: "/home/me",
    };
    expect(readGlobalFlags({}, env)).toMatchObject({
      etcdKeyPrefix: "/x/",
      caFile: "/ca",
      debug: true,
      ssh: { tunnel: "bastion", username: "me", timeoutMs: 3000, knownHostsFile: "/home/me/hosts", isStrict: false },
    });
    expect(readGlobalFlags({ sshUsername: "you", strictHostKeyChecking: true }, env).ssh).toMatchObject({
      username: "you",
      isStrict: true,
    });
  });
  it("of --debug shows where an error comes from", async () => {
    const dead = { FLEETCTL_ENDPOINT: "http://127.0.0.1:1" };
    expect((await run(["list-units"], { env: { ...dead, FLEETCTL_DEBUG: "true" } })).stderr).toContain("    at ");
    expect((await run(["--debug=true", "list-units"], { env: dead })).stderr).toContain("    at ");
    expect((await run(["list-units"], { env: dead })).stderr).not.toContain("    at ");
  });
});

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
        "2026-01-01T00:00:00.000Z  moved         a.service from 22222222... on 113f16a7... (its machine is gone)\n",
      stderr: "WARNING: older ones are gone\n",
    });
    expect(JSON.parse((await run(["events", "--output=json", "--kind=moved", "a"])).stdout)).toEqual(event);
  });
  it("of an old server are not there, and it says so", async () => {
    expect((await run(["events"])).stderr).toBe("Error: the server tells no events: it is older than this fleetctl\n");
    expect((await run(["events", "--kind=x"])).stderr).toContain('invalid --kind "x"');
    expect((await run(["events", "--after=x"])).stderr).toContain('invalid --after "x"');
  });
});

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
    world([], [unit]);
    answerWith((_method, path) => (path === "/units/a.service" ? { body: unit } : { status: 404 }));
    expect((await run(["explain", "none"])).stderr).toBe("Error: Unit none.service does not exist.\n");
    expect((await run(["explain", "a"])).stderr).toContain("older than this fleetctl");
  });
});

describe("a fleetctl that is older than the cluster", () => {
  it("warns, and goes on", async () => {
    answerWith(() => ({ body: { machines: [] }, headers: { server: "fleetd/99.1.0" } }));
    const { code, stderr } = await run(["list-machines"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^WARNING: fleetctl \(version [\d.]+\) is older than fleet in the cluster \(99\.1\.0\)/);
    answerWith(() => ({ body: { machines: [] }, headers: { server: "fleetd/1.0.0" } }));
    expect((await run(["list-machines"])).stderr).toBe("");
  });
  it("knows which version is newer", () => {
    expect([
      isOlder("2.0.0", "2.0.1"),
      isOlder("2.10.0", "2.9.9"),
      isOlder("2.0.0", null),
      isOlder(null, "1.0.0"),
    ]).toEqual([true, false, false, true]);
    expect(newer(newer(null, "1.0.0"), "v1.0.2")).toBe("v1.0.2");
  });
});

describe("checking unit files", () => {
  const files = {
    "bad/a.service":
      "Stray=1\n[Service]\nExecStart=/bin/a\n[Servise]\nA=b\n[X-Fleet]\nMachinOf=b\nMachineMetadata=a\nConflicts=[\nGlobal=maybe\n",
    "bad/b.service": "[Unit]\nDescription=x\n",
    "bad/c.service": "[Service]\nExecStart=/bin/a\n[X-Fleet]\nGlobal=true\nMachineOf=x.service\n",
    "bad/d.service": "[Service]\nExecStart\n",
    "good.service": "[Service]\nExecStart=/bin/a\n",
  };
  it("prints what is wrong, with its line", async () => {
    expect(await run(["verify", "bad/a.service", "good.service"], { files })).toEqual({
      code: 0,
      stdout: [
        "bad/a.service:1: warning: stands before any [Section] and is ignored",
        "bad/a.service:4: warning: section [Servise] is not known and has no effect",
        "bad/a.service:7: warning: option MachinOf in [X-Fleet] is not known and has no effect",
        'bad/a.service:8: warning: "a" in MachineMetadata is not key=value, key!=value, key>=number or key<=number and has no effect',
        'bad/a.service:9: warning: "[" in Conflicts is not a valid glob and matches nothing',
        'bad/a.service:10: warning: "maybe" is neither true nor false: Global counts as false',
        "good.service: ok\n",
      ].join("\n"),
      stderr: "",
    });
    expect((await run(["verify", "bad/b.service"], { files })).stdout).toContain("a service needs ExecStart=");
    expect(await run(["verify", "bad/c.service"], { files })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("bad/c.service: error: unit c.service: options Global and MachineOf"),
    });
    expect(await run(["verify", "bad/d.service"], { files })).toMatchObject({
      code: 1,
      stdout: 'bad/d.service:2: error: expected Name=value, found "ExecStart"\n',
    });
    expect((await run(["verify", "--strict", "bad/a.service"], { files })).code).toBe(1);
    expect((await run(["verify", "good.service", "none.service"], { files })).stderr).toBe(
      "Error: there is no file none.service to check\n",
    );
  });
  it("at submit warns, and with --strict submits nothing", async () => {
    answerWith((method) => (method === "PUT" ? { status: 201 } : { status: 404 }));
    const warned = await run(["submit", "bad/b.service", "good.service"], { files });
    expect(warned).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("WARNING: bad/b.service: a service needs"),
    });
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toHaveLength(2);
    const refused = await run(["start", "--strict", "bad/b.service", "good.service"], { files });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("Error: nothing was submitted");
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toHaveLength(2);
  });
  it("finds nothing wrong with the unit files that systemd itself brings along", async () => {
    const folder = "/lib/systemd/system";
    const found = new Map<string, string>();
    for (const name of readdirSync(folder).filter((entry) =>
      /\.(service|timer|socket|path|mount|target)$/.test(entry),
    )) {
      const path = join(folder, name);
      const text = statSync(path).isFile() ? readFileSync(path, "utf8") : "";
      if (text !== "") found.set(path, text);
    }
    expect(found.size).toBeGreaterThan(50);
    const { code, stdout } = await run(["verify", ...found.keys()], { files: Object.fromEntries(found) });
    expect(stdout.split("\n").filter((line) => line !== "" && !line.endsWith(": ok"))).toEqual([]);
    expect(code).toBe(0);
  });
  describe("where systemd is at hand", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "fleetctl-verify-"));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    it("systemd's own words about lines are shown, once, and none about other machines' programs", async () => {
      const path = join(folder, "e@.service");
      const text = "[Unit]\nRequires=elsewhere.service\n[Service]\nExecStart=/no/such/program\nRestrat=always\n";
      writeFileSync(path, text);
      const output = async ([program = "", ...args]: readonly string[]): Promise<string> => {
        const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
        return stdout + stderr;
      };
      const { stdout } = await run(["verify", path], { files: { [path]: text }, output });
      expect(stdout).toMatch(/^\S+e@\.service:5: warning: systemd: Unknown key .*Restrat.*\n$/);
    });
  });
});

describe("completion", () => {
  const words = (...line: string[]) => {
    const completion = completionOf(line, COMMANDS);
    return completion.kind === "words" ? completion.words : completion.kind;
  };
  it("knows commands, flags, their values, and what an operand is", () => {
    expect(words("list-")).toEqual(["list-machines", "list-unit-files", "list-units"]);
    expect(words("--end")).toEqual(["--endpoint"]);
    expect(words("--endpoint", "x", "li")).toEqual(["list-machines", "list-unit-files", "list-units"]);
    expect(words("start", "--no-b")).toEqual(["--no-block"]);
    expect(words("list-units", "--output", "")).toEqual(["text", "json"]);
    expect(words("--ca-file", "")).toBe("files");
    expect(words("verify", "")).toBe("files");
    expect(words("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(completionOf(["status", "web"], COMMANDS)).toEqual({ kind: "cluster", what: "unit", begin: "web" });
    expect(words("")).not.toContain("__complete");
  });
  it("offers units and machines of the cluster, and files where it has none", async () => {
    world([], [unit, { ...unit, name: "b.service" }]);
    expect((await run(["__complete", "--", "status", "a"])).stdout).toBe("a.service\n");
    expect(
      (
        await run(["__complete", "--", "--endpoint", `unix://${socket}`, "status", "a"], {
          env: { FLEETCTL_ENDPOINT: "unix:///nowhere" },
        })
      ).stdout,
    ).toBe("a.service\n");
    expect((await run(["__complete", "--", "ssh", "1"])).stdout).toBe(`${id}\n`);
    expect((await run(["__complete", "--", "start", "zz"])).stdout).toBe(":files\n");
    expect(await run(["__complete", "--", "status", "a"], { env: { FLEETCTL_ENDPOINT: "unix:///nowhere" } })).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });
  it("has no script for other shells", async () => {
    expect((await run(["completion", "csh"])).stderr).toContain("expected bash, zsh, fish");
  });

  /** A stand-in for fleetctl: shells ask it, and it answers as the real one would for these words. */
  const stub =
    'case "$4" in li*) printf "list-machines\\nlist-units\\n" ;; web@*) printf "web@1.service\\nweb@a:b.service\\n" ;; esac';
  const inShell = (shell: string, script: string): string => {
    const folder = mkdtempSync(join(tmpdir(), "fleetctl-shell-"));
    try {
      writeFileSync(
        join(folder, "fleetctl"),
        `#!/bin/sh\nshift\nwhile [ $# -gt 1 ]; do shift; done\nset -- . . . "$1"\n${stub}\n`,
        { mode: 0o755 },
      );
      writeFileSync(join(folder, "script"), completionScript(shell) ?? "");
      const args =
        shell === "zsh" ? ["-f", "-c", script] : shell === "fish" ? ["--no-config", "-c", script] : ["-c", script];
      const env = {
        ...process.env,
        PATH: `${folder}:${process.env.PATH}`,
        SCRIPT: join(folder, "script"),
        HOME: folder,
      };
      return execFileSync(shell, args, { encoding: "utf8", env });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  it("works in bash, with names that have colons in them", () => {
    const complete = (line: string) =>
      inShell(
        "bash",
        `source "$SCRIPT"; COMP_LINE='${line}' COMP_POINT=${line.length}; compopt() { :; }; _fleetctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
      );
    expect(complete("fleetctl li")).toBe("list-machines\nlist-units\n");
    expect(complete("fleetctl status web@a:")).toBe("web@1.service\nb.service\n");
  });
  it("works in zsh", () => {
    const script = `compdef() { :; }; compadd() { printf '%s\\n' "\${found[@]}"; }; source "$SCRIPT"; words=(fleetctl li); CURRENT=2; _fleetctl`;
    expect(inShell("zsh", script)).toBe("list-machines\nlist-units\n");
  });
  it("works in fish", () => {
    const found = inShell("fish", 'source "$SCRIPT"; complete -C "fleetctl li"');
    expect(
      found
        .trim()
        .split("\n")
        .map((line) => line.split("\t")[0]),
    ).toEqual(["list-machines", "list-units"]);
  });
});

it("tables with painted cells line up as without", () => {
  const rows = [
    ["A", "B"],
    ["longer than a tab", "x"],
  ];
  expect(formatTable(rows, [], (_row, _column, cell) => cell)).toBe(formatTable(rows));
});
