import { describe, expect, it } from "vitest";
import { COMMANDS } from "../commands/index.ts";
import { fakeServer } from "../testing/fake-server.ts";

const { socket, run } = fakeServer();

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

describe("arguments", () => {
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
});
