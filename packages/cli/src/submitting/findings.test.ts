import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeServer } from "../testing/fake-server.ts";

const { run, requests, answerWith } = fakeServer();

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
      "Error: file none.service does not exist\n",
    );
  });
  it("at submit says what is true of many files once", async () => {
    answerWith((method, path) =>
      method === "PUT" ? { status: 201 } : path === "/units" ? { body: { units: [] } } : { status: 404 },
    );
    const many = Array.from({ length: 115 }, (_, index) => `many/a@${index}.service`);
    const text = "[Service]\nExecStart=/bin/a\n[X-Fleet]\nMachinOf=b\n";
    const { stderr } = await run(["submit", ...many], {
      files: Object.fromEntries(many.map((path) => [path, text])),
    });
    expect(stderr).toMatch(/^WARNING: many\/a@0\.service:4: .*MachinOf.* \(and 114 more like it\)\.\n$/);
  });
  it("tells of units that are checked together and that nothing brings together", async () => {
    const together = {
      "web.service": "[Unit]\nRequires=db.service\n[Service]\nExecStart=/bin/a\n",
      "db.service": "[Service]\nExecStart=/bin/b\n",
    };
    expect((await run(["verify", ...Object.keys(together)], { files: together })).stdout).toMatch(
      /^web\.service: warning: Requires=db\.service, but nothing brings db\.service to its machine.*\ndb\.service: ok\n$/,
    );
    expect((await run(["verify", "web.service"], { files: together })).stdout).toBe("web.service: ok\n");
  });
  it("at submit knows the cluster's units, too", async () => {
    const inCluster: Readonly<Record<string, string>> = { "db.service": "", "main.service": "" };
    answerWith((method, path) => {
      const name = path.split("/")[2] ?? "";
      if (method === "PUT") return { status: 201 };
      return inCluster[name] === undefined
        ? { status: 404 }
        : { body: { name, options: [], desiredState: "inactive" } };
    });
    const text = "[Unit]\nRequires=db.service\nAfter=network.target\n[Service]\nExecStart=/bin/a\n[X-Fleet]\n";
    const warned = async (more: string) =>
      (await run(["submit", "web.service"], { files: { "web.service": text + more } })).stderr;
    expect(await warned("")).toBe(
      "WARNING: web.service: Requires=db.service, but nothing brings db.service to its machine, and without it systemd will not start the unit: add MachineOf=db.service to [X-Fleet].\n",
    );
    expect(await warned("MachineOf=db.service\n")).toBe("");
    expect(await warned("MachineOf=db\nMachineOf=db.service\n")).toMatch(
      /^WARNING: web\.service:7: "db" in MachineOf .*: did you mean db\.service\?\n$/,
    );
    expect(await warned("MachineOf=db.service\nMachineOf=mian.service\n")).toBe(
      "WARNING: web.service: MachineOf=mian.service is not in the cluster: the unit is pending until that is scheduled.\n",
    );
  });
  it("shows why systemd would not load a unit, though it names no line", async () => {
    const output = async (): Promise<string> =>
      "good.service: Odd in a new way. Refusing.\nother.service: Odd. Refusing.\n";
    const path = join(tmpdir(), "good.service");
    const { stdout } = await run(["verify", path], { files: { [path]: files["good.service"] }, output });
    expect(stdout).toBe(`${path}: warning: systemd: Odd in a new way. Refusing\n`);
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
    // Each by itself: that one machine has them all together is what nothing here says.
    for (const path of found.keys())
      expect(await run(["verify", path], { files: Object.fromEntries(found) })).toEqual({
        code: 0,
        stdout: `${path}: ok\n`,
        stderr: "",
      });
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
