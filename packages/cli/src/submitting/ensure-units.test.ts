import { describe, expect, it } from "vitest";
import { fakeServer } from "../testing/fake-server.ts";
import { clusterOf, options, unit } from "../testing/one-unit.ts";
import { replacementOf } from "./ensure-units.ts";

const { run, requests, answerWith } = fakeServer();

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
  it("takes a unit once that is typed several times, from its file where one of the words is that", async () => {
    answerWith((method) => (method === "PUT" ? { status: 201 } : { status: 404 }));
    const files = { "x/a.service": text, "y/a.service": text };
    for (const words of [
      ["a", "x/a.service", "a"],
      ["x/a.service", "a", "x/a", "y/a.service"],
    ]) {
      expect(await run(["submit", ...words], { files })).toEqual({
        ...{ code: 0, stdout: "Unit a.service inactive\n", stderr: "" },
      });
    }
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toHaveLength(2);
  });
  it("refuses different files of one unit before anything is sent", async () => {
    const files = { "x/a.service": text, "y/a.service": `${text}Restart=always\n`, "b.service": text };
    expect(await run(["start", "b.service", "x/a.service", "y/a.service"], { files })).toEqual({
      ...{ code: 1, stdout: "" },
      stderr: "Error: x/a.service and y/a.service are different files of one unit, a.service: give one of them\n",
    });
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toEqual([]);
  });
  it("says which unit may be meant by a name that is nowhere", async () => {
    answerWith(clusterOf([], [{ ...unit, name: "webapp.service" }]));
    for (const verb of ["submit", "load", "start"])
      expect((await run([verb, "webap"])).stderr).toBe(
        "Error: unable to find Unit(webap.service) in Registry or on filesystem. Did you mean webapp.service?\n",
      );
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
    [
      "a file that is no unit's",
      ["start", "app.container"],
      { "app.container": "[Container]\nImage=a\n" },
      "app.container is a Quadlet file",
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

describe("an instance without a file of its own", () => {
  it("is compared with its template's file", async () => {
    const files = { "x/t@.service": "[Service]\nExecStart=/bin/new\n" };
    answerWith(clusterOf([], [{ ...unit, name: "t@1.service", desiredState: "inactive" }]));
    expect((await run(["submit", "x/t@1.service"], { files })).stderr).toBe(
      "WARNING: Unit t@1.service in registry differs from local unit file x/t@.service. Add --replace to override.\n",
    );
    answerWith((method) =>
      method === "PUT" ? { status: 201 } : { body: { ...unit, name: "t@1.service", desiredState: "inactive" } },
    );
    await run(["submit", "--replace", "x/t@1.service"], { files });
    expect(requests().filter((entry) => entry.startsWith("PUT"))).toEqual([
      'PUT /units/t%401.service {"name":"t@1.service","options":[{"section":"Service","name":"ExecStart","value":"/bin/new"}],"desiredState":"inactive","text":"[Service]\\nExecStart=/bin/new\\n"}',
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
    answerWith(clusterOf([], [{ ...unit, desiredState }]));
    const { stderr } = await run(
      [command, "--replace", "--no-block", "a.service"].filter((arg) => command !== "submit" || arg !== "--no-block"),
      { files },
    );
    const puts = requests().filter((entry) => entry.startsWith("PUT") && entry.includes("/bin/new"));
    expect(puts).toHaveLength(isTaken ? 1 : 0);
    if (!isTaken) expect(stderr).toContain(`WARNING: Unit a.service is ${desiredState}`);
  });
});

const KEPT = "[Service]\nExecStart=/bin/a\n";

it.each([
  ["same", "launched", "/bin/a", "inactive", true],
  ["reworded", "launched", "/bin/a", "inactive", true, "# why\n[Service]\nExecStart=/bin/a\n"],
  ["same", "launched", "/bin/a", "inactive", false, "# why\n[Service]\nExecStart=/bin/a\n"],
  ["kept", "inactive", "/bin/new", "launched", false],
  ["replaced", "inactive", "/bin/new", "inactive", true],
  ["replaced", "loaded", "/bin/new", "launched", true],
  ["above", "launched", "/bin/new", "loaded", true],
  ["above", "loaded", "/bin/new", "inactive", true],
] as const)("%s: a unit that is %s, with %s in its file, by a command that leads to %s, --replace %s", (...row) => {
  const [replacement, desiredState, program, target, replace, text = KEPT] = row;
  const local = { options: [{ section: "Service", name: "ExecStart", value: program }], text };
  expect(replacementOf({ options, desiredState, text: KEPT }, local, target, replace)).toBe(replacement);
});

describe("the bytes of a file", () => {
  const text = "# why\r\n[Service]\r\nExecStart=/bin/a \r\n";
  const files = { "a.service": text };
  const sent = () => requests().flatMap((entry) => (entry.startsWith("PUT") ? [JSON.parse(entry.slice(21))] : []));
  const holding = (kept: object) => clusterOf([], [{ ...unit, ...kept }]);

  it("are submitted as they are", async () => {
    answerWith(clusterOf([], []));
    await run(["submit", "a.service"], { files });
    expect(sent()).toEqual([{ name: "a.service", options, desiredState: "inactive", text }]);
  });
  it("that differ in comments only are put in by --replace, and nothing restarts", async () => {
    answerWith(holding({ text: "[Service]\nExecStart=/bin/a\n" }));
    expect(await run(["submit", "--replace", "a.service"], { files })).toEqual({
      code: 0,
      stdout: "",
      stderr:
        "Unit a.service differs in comments and layout only: the stored file is replaced, the unit is not restarted.\n",
    });
    expect(sent()).toEqual([{ name: "a.service", options, desiredState: "launched", text }]);
  });
  it.each([
    ["that are kept already", { text }],
    ["of which an old server tells nothing", {}],
  ])("%s are left alone", async (_which, kept) => {
    answerWith(holding(kept));
    expect((await run(["submit", "--replace", "a.service"], { files })).stdout).toBe(
      "Found same Unit(a.service) in Registry, nothing to do\n",
    );
    expect(sent()).toEqual([]);
  });
  it("are what cat prints, and in JSON too", async () => {
    answerWith(holding({ text }));
    expect((await run(["cat", "a"])).stdout).toBe(text);
    expect(JSON.parse((await run(["cat", "a", "-o", "json"])).stdout)).toMatchObject({ text, options });
    expect(requests()[0]).toBe("GET /units/a.service?text=true");
  });
});

describe("a version that fits no machine", () => {
  const files = { "a.service": "[Service]\nExecStart=/bin/new\n[X-Fleet]\nMachineMetadata=disk=ssd\n" };
  const nowhere = {
    ...{ name: "a.service", desiredState: "launched", global: false, machines: 3, fitting: 0 },
    summary: "pending: none of 3 machines fits",
    reasons: [{ reason: "its metadata lacks disk=ssd", machines: 3, examples: [] }],
  };
  const explained = (method: string, path: string) =>
    method === "POST" && path === "/units/a.service/placement"
      ? { body: nowhere }
      : clusterOf([], [{ ...unit }])(method, path);
  const sent = () => requests().filter((entry) => entry.startsWith("PUT"));

  it("does not replace a unit that is on a machine: nothing is stopped, and why is said", async () => {
    answerWith(explained);
    expect(await run(["start", "--replace", "--no-block", "a.service"], { files })).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "Error: unit a.service was not replaced and keeps running: pending: none of 3 machines fits (3: its metadata lacks disk=ssd). Use --force to replace it anyway\n",
    });
    expect(sent()).toEqual([]);
  });
  it("replaces it with --force", async () => {
    answerWith(explained);
    expect((await run(["start", "--replace", "--force", "--no-block", "a.service"], { files })).code).toBe(0);
    expect(sent()).toHaveLength(1);
  });
});
