import { describe, expect, it } from "vitest";
import { readArguments } from "./arguments.ts";

describe("the command line of fleetd", () => {
  it.each([
    [[], { kind: "run", roles: ["agent", "engine", "api"], configPath: null }],
    [["agent"], { kind: "run", roles: ["agent"], configPath: null }],
    [["--config", "/x", "engine"], { kind: "run", roles: ["engine"], configPath: "/x" }],
    [["-config=/x"], { kind: "run", roles: ["agent", "engine", "api"], configPath: "/x" }],
    [["--check-config"], { kind: "check-config", configPath: null }],
    [["--check-config", "--config", "/x"], { kind: "check-config", configPath: "/x" }],
    [["--config=/x", "api", "--check-config"], { kind: "check-config", configPath: "/x" }],
    [["--reload", "17"], { kind: "reload", pid: 17 }],
    [["--config", "/x", "--reload", "17"], { kind: "reload", pid: 17 }],
    [["--version"], { kind: "version" }],
    [["version"], { kind: "version" }],
    [["-h"], { kind: "help" }],
  ])("reads %j", (args, invocation) => expect(readArguments(args)).toEqual(invocation));
  it("asks whether fleetctl was meant where an argument is not its own", () => {
    expect(readArguments(["list-units", "-l"])).toEqual({
      kind: "error",
      message: 'fleetd takes no argument "list-units". Did you mean to run "fleetctl list-units -l"?',
    });
    for (const args of [
      ["--reload"],
      ["--reload", "0"],
      ["--reload", "-1"],
      ["--reload", "17x"],
      ["--reload", "1", "2"],
    ])
      expect(readArguments(args)).toMatchObject({ kind: "error" });
    expect(readArguments(["--config"])).toMatchObject({ kind: "error" });
  });
});
