import { beforeEach, describe, expect, it } from "vitest";
import { readGlobalFlags } from "./command-line/global-flags.ts";
import { COMMANDS } from "./commands/index.ts";
import { formatTable } from "./printing/table.ts";
import { fakeServer } from "./testing/fake-server.ts";

const { socket, requests, run, answerWith } = fakeServer();

describe("tables", () => {
  it("line up by tabs as the old fleetctl's", () => {
    expect(
      formatTable([
        ["UNIT", "MACHINE", "SUB"],
        ["hello.service", "113f16a7.../172.17.8.103", "running"],
      ]),
    ).toBe("UNIT\t\tMACHINE\t\t\t\tSUB\nhello.service\t113f16a7.../172.17.8.103\trunning\n");
  });
  it("are empty for no rows", () => expect(formatTable([])).toBe(""));
});

describe("the command line", () => {
  it.each([[["--version"]], [["-v"]], [["version"]]])("%j prints the version", async (args) => {
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
  it("takes unique beginnings of command names, and names those of others", async () => {
    expect((await run(["list-m"])).stdout).toBe("MACHINE\tIP\tMETADATA\n");
    expect((await run(["list-u"])).stderr).toContain('"list-u" could be list-unit-files or list-units');
    expect(await run(["nosuch"])).toMatchObject({
      code: 1,
      stderr: 'Error: unknown command "nosuch". See "fleetctl help".\n',
    });
  });
  it("takes flags before and after the command, with = and for booleans with =true and =false", async () => {
    expect((await run(["list-units", "--no-legend"])).stdout).toBe("");
    expect((await run(["list-units", "--no-legend=true"])).stdout).toBe("");
    expect((await run(["list-units", "--no-legend=false"])).stdout).toContain("UNIT");
    expect(
      (await run([`--endpoint=unix://${socket}`, "list-units"], { env: { FLEETCTL_ENDPOINT: "http://192.0.2.1:1" } }))
        .code,
    ).toBe(0);
    expect(
      (
        await run(["list-units", "--endpoint", `unix://${socket}`], {
          env: { FLEETCTL_ENDPOINT: "http://192.0.2.1:1" },
        })
      ).code,
    ).toBe(0);
  });
  it("says what is wrong with flags", async () => {
    expect((await run(["list-units", "--sideways"])).stderr).toContain("unknown option '--sideways'");
    expect((await run(["--request-timeout=soon", "list-units"])).stderr).toContain('invalid --request-timeout "soon"');
    expect((await run(["--endpoint=ftp://x", "list-units"])).stderr).toContain('invalid --endpoint "ftp://x"');
    expect((await run(["load", "--block-attempts=x", "a"])).stderr).toContain('invalid --block-attempts "x"');
    expect((await run(["start"])).stderr).toContain("missing required argument 'unit'");
  });
  it("accepts what old scripts give, and refuses signed units with the reason and exit code 2", async () => {
    expect((await run(["--experimental-api", "--etcd-cafile=/x", "list-units"])).code).toBe(0);
    expect(readGlobalFlags({ etcdCafile: "/x" }, {}).caFile).toBe("/x");
    const refusal = {
      code: 2,
      stderr: "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.\n",
    };
    expect(await run(["submit", "--sign", "a.service"])).toMatchObject(refusal);
    expect(await run(["verify", "a.service"])).toMatchObject(refusal);
  });
  it("reads flags from the environment; etcd's ports choose etcd's driver", () => {
    expect(readGlobalFlags({}, { FLEETCTL_REQUEST_TIMEOUT: "5" }).requestTimeoutMs).toBe(5000);
    expect(readGlobalFlags({ requestTimeout: "1" }, { FLEETCTL_REQUEST_TIMEOUT: "5" }).requestTimeoutMs).toBe(1000);
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:2379" }).driver).toBe("etcd");
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:4001/" }).driver).toBe("etcd");
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:49153" }).driver).toBe("API");
  });
});

describe("a server that does not answer", () => {
  it.each([
    ["unix:///nowhere/fleet.sock", "there is no such socket"],
    ["http://127.0.0.1:1", "nobody listens there"],
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

describe("lists", () => {
  const id = "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa";
  beforeEach(() => {
    const options = [
      { section: "Unit", name: "Description", value: "A b" },
      { section: "Service", name: "ExecStart", value: "/bin/a" },
    ];
    answerWith((_method, path) => {
      if (path.startsWith("/machines"))
        return { body: { machines: [{ id, primaryIP: "172.17.8.103", metadata: { z: "1", a: "2" } }] } };
      if (path.startsWith("/units?"))
        return {
          body: {
            units: [
              {
                name: "g.service",
                options: [...options, { section: "X-Fleet", name: "Global", value: "true" }],
                desiredState: "launched",
              },
            ],
          },
        };
      if (path.startsWith("/units"))
        return {
          body: {
            units: [{ name: "a.service", options, desiredState: "launched", currentState: "launched", machineID: id }],
            nextPageToken: "t",
          },
        };
      return {
        body: {
          states: [
            {
              name: "a.service",
              hash: "0123456789",
              machineID: id,
              systemdLoadState: "loaded",
              systemdActiveState: "active",
              systemdSubState: "running",
            },
          ],
        },
      };
    });
  });
  it("show every field, shortened or in full, over all pages", async () => {
    expect(
      (await run(["list-units", "--fields=unit,machine,load,active,sub,hash", "--no-legend"])).stdout.split(/\t+/),
    ).toEqual(["a.service", "113f16a7.../172.17.8.103", "loaded", "active", "running", "0123456\n"]);
    expect((await run(["list-units", "-l", "--fields=machine,hash", "--no-legend"])).stdout).toBe(
      `${id}/172.17.8.103\t0123456789\n`,
    );
    expect((await run(["list-machines"])).stdout).toBe(
      "MACHINE\t\tIP\t\tMETADATA\n113f16a7...\t172.17.8.103\ta=2,z=1\n",
    );
    const files = (
      await run(["list-unit-files", "--fields=unit,dstate,state,target,global,desc", "--no-legend"])
    ).stdout.split("\n");
    expect(files[0]?.split(/\t+/)).toEqual([
      "a.service",
      "launched",
      "launched",
      "113f16a7.../172.17.8.103",
      "false",
      "A b",
    ]);
    expect(files[1]?.split(/\t+/)).toEqual(["g.service", "launched", "-", "global", "true", "A b"]);
  });
  it("refuse an unknown field", async () => {
    for (const list of ["list-units", "list-unit-files", "list-machines"]) {
      expect(await run([list, "--fields=unit,constructor"])).toMatchObject({ code: 1 });
    }
    expect((await run(["list-units", "--fields=x"])).stderr).toBe('Error: Invalid key in output format: "x"\n');
  });
});

describe("submit", () => {
  const text = "[Service]\nExecStart=/bin/a\n";
  it("creates units from files and templates, at the same time, and warns of options nobody knows", async () => {
    answerWith((method, path) =>
      method === "PUT"
        ? { status: 201 }
        : path === "/units/t%40.service"
          ? { body: { name: "t@.service", options: [{ section: "Service", name: "ExecStart", value: "/bin/t" }] } }
          : { status: 404 },
    );
    const files = { "x/a.service": text, "x/b@.service": `${text}[X-Fleet]\nMachinOf=y\n` };
    const { code, stdout, stderr } = await run(["submit", "x/a.service", "x/b@1.service", "t@2"], { files });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "Unit a.service inactive\nUnit b@1.service inactive\nUnit t@2.service inactive\n",
    });
    expect(stderr).toBe("WARNING: x/b@.service:4: option MachinOf in [X-Fleet] is not known and has no effect.\n");
    expect(
      requests()
        .filter((entry) => entry.startsWith("PUT"))
        .map((entry) => entry.split(" ")[1])
        .toSorted(),
    ).toEqual(["/units/a.service", "/units/b%401.service", "/units/t%402.service"]);
  });
  it.each([
    [
      "a unit that is nowhere",
      ["submit", "none.service"],
      {},
      "unable to find Unit(none.service) in Registry or on filesystem",
    ],
    [
      "a file that can't be read as a unit",
      ["submit", "a.service"],
      { "a.service": "[Service\n" },
      "a.service: line 1: ",
    ],
    ["a bad name", ["submit", "a b.service"], {}, 'Invalid unit name "a b.service"'],
    [
      "options that contradict each other",
      ["submit", "a.service"],
      { "a.service": `${text}[X-Fleet]\nMachineID=x\nGlobal=true\n` },
      "MachineID and Global",
    ],
  ])("refuses %s before anything is sent", async (_what, args, files, message) => {
    answerWith(() => ({ status: 404 }));
    const { code, stderr } = await run(args, { files });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(requests().filter((entry) => !entry.startsWith("GET"))).toEqual([]);
  });
});

describe("stop", () => {
  it("says what it can't stop", async () => {
    answerWith((_method, path) =>
      path.includes("idle")
        ? { body: { name: "idle.service", options: [], desiredState: "inactive" } }
        : { status: 404 },
    );
    expect(await run(["stop", "idle", "none"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Unable to stop unit idle.service in state inactive\nError: Unit none.service does not exist.\n",
    });
  });
});
