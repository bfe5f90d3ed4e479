import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";

const { run, answerAll, requests } = fakeServer();

const TEXTS: Readonly<Record<number, string>> = {
  1: "# one\n[Service]\nExecStart=/bin/a\n",
  2: "[Service]\nExecStart=/bin/b\nUser=x\n",
};
const VERSIONS = [
  { number: 2, kind: "version", hash: "b".repeat(40), time: "2026-01-02T00:00:00Z", by: "token ops", current: true },
  { number: 1, kind: "version", hash: "a".repeat(40), time: "2026-01-01T00:00:00Z", message: "the first" },
];
const UNIT = {
  ...{ name: "a.service", desiredState: "inactive", currentState: "inactive" },
  options: [
    { section: "Service", name: "ExecStart", value: "/bin/b" },
    { section: "Service", name: "User", value: "x" },
  ],
};

/** A server with the versions of a.service, which the cluster has or has no more. */
function having(versions: readonly unknown[], isThere = true): void {
  answerAll((method, path) => {
    const [, , name, part, number] = path.split(/[/?]/);
    if (method !== "GET") return { status: 204 };
    if (name !== "a.service")
      return path.startsWith("/units?") || path === "/units" ? { body: { units: [] } } : { status: 404 };
    if (part !== "versions") return isThere ? { body: UNIT } : { status: 404 };
    if (number === undefined) return versions.length === 0 ? { status: 404 } : { body: { versions } };
    const text = TEXTS[Number(number)];
    return text === undefined ? { status: 404 } : { body: { ...VERSIONS[2 - Number(number)], text } };
  });
}

describe("the history of a unit", () => {
  it("lists its versions, the newest first, and which one it has", async () => {
    having(VERSIONS);
    const { stdout } = await run(["history", "a"]);
    expect(stdout.replaceAll(/\t+/g, " ")).toBe(
      [
        "VERSION TIME BY HASH MESSAGE",
        "2* 2026-01-02T00:00:00Z token ops bbbbbbb -",
        "1 2026-01-01T00:00:00Z - aaaaaaa the first",
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await run(["history", "-o", "json", "a"])).stdout)).toEqual(VERSIONS);
  });
  it("shows what each version changed, and that it was destroyed", async () => {
    having([{ number: 2, kind: "destroyed", hash: "b".repeat(40), time: "2026-01-03T00:00:00Z" }, ...VERSIONS], false);
    const { stdout } = await run(["history", "-p", "a"]);
    expect(stdout).toContain("version 1 2026-01-01T00:00:00Z | the first\n--- /dev/null");
    expect(stdout).toContain("-# one\n [Service]\n-ExecStart=/bin/a\n+ExecStart=/bin/b\n+User=x\n");
    expect(stdout).toMatch(/destroyed 2026-01-03T00:00:00Z\n$/);
    expect(stdout).not.toContain("====");
  });
  it("that nobody knows of is an error that says why", async () => {
    having([], true);
    expect((await run(["history", "a"])).stderr).toContain("nothing is known of the history of a.service");
    having([], false);
    expect((await run(["history", "a"])).stderr).toContain(
      "Unit a.service does not exist, and did not within the last day.",
    );
  });
});

describe("an earlier version", () => {
  it("is printed by cat, as it was submitted", async () => {
    having(VERSIONS);
    expect((await run(["cat", "--version", "1", "a"])).stdout).toBe(TEXTS[1]);
    expect((await run(["cat", "--version=7", "a"])).stderr).toContain(
      'version 7 of a.service is not known: "fleetctl history a.service" lists those that are',
    );
    expect((await run(["cat", "--version", "x", "a"])).stderr).toContain('invalid --version "x"');
  });
  it("comes back by undo, with its text and a reason", async () => {
    having(VERSIONS);
    expect(await run(["undo", "a"])).toMatchObject({ code: 0, stdout: "Unit a.service has version 1 again\n" });
    const put = requests().find((request) => request.startsWith("PUT"));
    expect(put).toContain("/units/a.service?message=undo%2C+to+version+1 ");
    expect(JSON.parse(put?.slice(put.indexOf("{")) ?? "")).toMatchObject({ text: TEXTS[1], desiredState: "inactive" });
    await run(["undo", "--to", "1", "-m", "slow", "a"]);
    expect(requests().at(-1)).toContain("?message=slow ");
  });
  it("of a unit that was destroyed comes back inactive", async () => {
    having(
      [
        { number: 2, kind: "destroyed", hash: "b".repeat(40), time: "2026-01-03T00:00:00Z" },
        ...VERSIONS.map(({ current: _current, ...rest }) => rest),
      ],
      false,
    );
    expect((await run(["undo", "a"])).stdout).toBe("Unit a.service has version 2 again, and is inactive\n");
  });
  it("is not put back where the unit has it, or where there is none", async () => {
    having(VERSIONS);
    expect(await run(["undo", "--to=2", "a"])).toMatchObject({
      code: 0,
      stdout: "Unit a.service has version 2, nothing to do\n",
    });
    having(VERSIONS.slice(0, 1));
    expect(await run(["undo", "a"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has only one version"),
    });
    expect(requests().filter((request) => request.startsWith("PUT"))).toEqual([]);
  });
});

describe("a reason", () => {
  it("goes with what destroys a unit", async () => {
    having(VERSIONS);
    await run(["destroy", "--no-block", "-m", "not needed", "a"]);
    expect(requests()).toContain("DELETE /units/a.service?message=not+needed");
    expect((await run(["destroy", "-m", "x".repeat(1001), "a"])).stderr).toContain("--message has 1001 characters");
  });
});
