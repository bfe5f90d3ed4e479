import { describe, expect, it } from "vitest";
import { COMMANDS } from "../commands/index.ts";
import { fakeServer } from "../testing/fake-server.ts";

const { socket, run, requests } = fakeServer();

describe("beginnings of command names", () => {
  const classic = ["help", "version", ...COMMANDS.filter(({ isClassic }) => isClassic).map(({ name }) => name)];
  it.each(classic)("%s is found by every beginning that was unique to the old fleetctl", async (name) => {
    for (let length = 1; length <= name.length; length++) {
      const begin = name.slice(0, length);
      if (classic.filter((other) => other.startsWith(begin)).length > 1 && begin !== name) continue;
      if (begin.length < 3 && COMMANDS.some((command) => command.name === name && command.isChange)) continue;
      const { stdout } = await run([begin, "--help"]);
      expect(stdout).toContain(name === "help" || name === "version" ? "fleetctl" : `Usage: fleetctl ${name} `);
    }
  });
});

describe("a command that changes something", () => {
  const changing = COMMANDS.filter(({ isChange }) => isChange).map(({ name }) => name);
  it("is each one but those that look, check or connect", () => {
    expect(
      COMMANDS.filter(({ isChange }) => !isChange)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      ["__complete", "cat", "completion", "events", "explain", "fd-forward", "history", "journal"].concat([
        "list-machines",
        "list-unit-files",
        "list-units",
        "ssh",
        "status",
        "top",
        "verify",
      ]),
    );
  });
  it.each(changing)("is not %s by fewer than three letters", async (name) => {
    for (const length of [1, 2]) await run([name.slice(0, length), "a"]);
    expect(requests().filter((entry) => !entry.startsWith("GET"))).toEqual([]);
  });
  it("says how many letters it takes", async () => {
    expect((await run(["de", "a"])).stderr).toBe(
      'Error: "de" is too short for destroy, which changes something: give at least 3 letters. See "fleetctl help".\n',
    );
    await run(["des", "a"]);
    expect(requests()).toEqual(["DELETE /units/a.service"]);
  });
});

describe("arguments", () => {
  it("takes unique beginnings of command names, and names those of others", async () => {
    expect((await run(["list-m"])).stdout).toBe("MACHINE\tIP\tMETADATA\n");
    expect((await run(["list-u"])).stderr).toContain('"list-u" could be list-unit-files or list-units');
    expect((await run(["destory", "a"])).stderr).toBe(
      'Error: unknown command "destory". Did you mean destroy? See "fleetctl help".\n',
    );
    expect((await run(["lgos", "a"])).stderr).toContain("Did you mean logs?");
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
});

describe("a flag that is a command's own and a global one too", () => {
  it("is the command's behind its name, and global before it", async () => {
    expect((await run(["cat", "--version", "x", "a"])).stderr).toContain('invalid --version "x"');
    expect((await run(["--version", "cat"])).stdout).toMatch(/^fleetctl version /);
    expect((await run(["list-units", "--version"])).stdout).toMatch(/^fleetctl version /);
  });
});
