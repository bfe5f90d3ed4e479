import { describe, expect, it } from "vitest";
import { readGlobalFlags } from "./command-line/global-flags.ts";
import { COMMANDS } from "./commands/index.ts";
import { fakeServer } from "./testing/fake-server.ts";
import { clusterOf, state, unit } from "./testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();

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

describe("the command line", () => {
  it.each([[["--version"]], [["-v"]], [["version"]], [["version", "extra"]]])("%j prints the version", async (args) => {
    expect(await run(args)).toEqual({ code: 0, stdout: "fleetctl version 2.0.0\n", stderr: "" });
  });
  it("without a command prints the help", async () => {
    const { code, stdout } = await run([]);
    expect(code).toBe(0);
    for (const { name, isHidden } of COMMANDS) expect(stdout.includes(name)).toBe(isHidden !== true);
  });
  it.each(COMMANDS.filter(({ isHidden }) => isHidden !== true).map(({ name }) => name))(
    "%s has help with examples",
    async (name) => {
      const { code, stdout } = await run([name, "--help"]);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: fleetctl ${name}`);
      expect(stdout).toContain("Examples:\n  fleetctl");
    },
  );
  it("says what is wrong with flags", async () => {
    expect((await run(["list-units", "--sideways"])).stderr).toContain("unknown option '--sideways'");
    expect((await run(["--request-timeout=soon", "list-units"])).stderr).toContain('invalid --request-timeout "soon"');
    expect((await run(["--endpoint=ftp://x", "list-units"])).stderr).toContain('invalid --endpoint "ftp://x"');
    expect((await run(["load", "--block-attempts=x", "a"])).stderr).toContain('invalid --block-attempts "x"');
    expect((await run(["cat"])).stderr).toContain("missing required argument 'unit'");
  });
  it("accepts what old scripts give", async () => {
    expect((await run(["--experimental-api", "--etcd-cafile=/x", "list-units"])).code).toBe(0);
    expect(readGlobalFlags({ etcdCafile: "/x" }, {}).caFile).toBe("/x");
    expect(await run(["list-machines", "--l", "surplus"])).toMatchObject({ code: 0 });
    expect((await run(["list-machines", "--h"])).stdout).toContain("Usage: fleetctl list-machines");
    const refusal = "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.\n";
    expect(await run(["verify", "a.service"])).toMatchObject({ code: 2, stderr: refusal });
    const files = { "a.service": "[Service]\nExecStart=/bin/a\n" };
    answerWith((method) => ({ status: method === "PUT" ? 201 : 404 }));
    expect(await run(["submit", "--sign", "a.service"], { files })).toEqual({
      code: 0,
      stdout: "Unit a.service inactive\n",
      stderr: refusal,
    });
  });
  it("has the version in its help, where scripts look for it", async () => {
    expect((await run(["help"])).stdout).toMatch(/^VERSION:\n {2}\d+\.\d+\.\d+$/m);
  });
});

describe("a server that does not answer", () => {
  it.each([
    ["unix:///nowhere/fleet.sock", "no such socket"],
    ["http://127.0.0.1:1", "connection refused"],
  ])("at %s is named, with what to do", async (endpoint, reason) => {
    const { code, stderr } = await run(["list-units"], { env: { FLEETCTL_ENDPOINT: endpoint } });
    expect(code).toBe(1);
    expect(stderr).toContain(`Error: fleet's API at ${endpoint} can't be reached: ${reason}`);
  });
  it("has its own words passed on", async () => {
    answerWith(() => ({
      status: 503,
      body: { error: { code: 503, message: "fleet server unable to communicate with etcd" } },
    }));
    expect(await run(["list-units"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: fleet server unable to communicate with etcd\n",
    });
  });
});

describe("a server without its etcd", () => {
  const away = { status: 503, body: { error: { code: 503, message: "fleet server unable to communicate with etcd" } } };
  const headers = { "fleet-view-age": "7", "fleet-etcd": "http://192.0.2.1:2379" };
  const warning =
    "WARNING: etcd at http://192.0.2.1:2379 can't be reached: this is the API's last view of it, 7 s old.\n";
  it("shows commands that only look what it last saw, and how old that is", async () => {
    answerWith((method, path) =>
      path.includes("view=last") ? { ...clusterOf([state], [unit])(method, path), headers } : away,
    );
    const shown = await run(["list-units", "--no-legend"]);
    expect(shown).toEqual({ code: 0, stdout: expect.stringMatching(/^a\.service\t/), stderr: warning });
  });
  it("changes nothing", async () => {
    answerWith(() => away);
    expect(await run(["stop", "a"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: fleet server unable to communicate with etcd\n",
    });
    expect(requests()).toEqual(["GET /units/a.service"]);
  });
});

describe("--debug", () => {
  it("of --debug shows where an error comes from", async () => {
    const dead = { FLEETCTL_ENDPOINT: "http://127.0.0.1:1" };
    expect((await run(["list-units"], { env: { ...dead, FLEETCTL_DEBUG: "true" } })).stderr).toContain("    at ");
    expect((await run(["--debug=true", "list-units"], { env: dead })).stderr).toContain("    at ");
    expect((await run(["list-units"], { env: dead })).stderr).not.toContain("    at ");
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
});
