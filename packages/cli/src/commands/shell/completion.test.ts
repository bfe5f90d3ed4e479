import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completionOf } from "../../completion/complete.ts";
import { completionScript } from "../../completion/scripts.ts";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, id, unit } from "../../testing/one-unit.ts";
import { COMMANDS } from "../index.ts";

const { socket, run, answerWith } = fakeServer();

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
    expect(words("list-units", "-o", "j")).toEqual(["json"]);
    expect(words("cat", "--version", "3", "")).toBe("cluster");
    expect(words("journal", "-o", "json")).toEqual(["json", "json-pretty", "json-sse", "json-seq"]);
    expect(words("events", "--kind", "machine-j")).toEqual(["machine-joined"]);
    expect(words("--ca-file", "")).toBe("files");
    expect(words("verify", "")).toBe("files");
    expect(words("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(completionOf(["journal", "web"], COMMANDS)).toEqual({ kind: "cluster", what: "unit", begin: "web" });
    expect(words("")).not.toContain("__complete");
  });
  it("offers units and machines of the cluster, and files where it has none", async () => {
    answerWith(clusterOf([], [unit, { ...unit, name: "b.service" }]));
    expect((await run(["__complete", "--", "status", "a"])).stdout).toBe("a.service\n");
    expect(
      (
        await run(["__complete", "--", "--endpoint", `unix://${socket}`, "status", "a"], {
          env: { FLEETCTL_ENDPOINT: "unix:///nowhere" },
        })
      ).stdout,
    ).toBe("a.service\n");
    expect((await run(["__complete", "--", "ssh", "1"])).stdout).toBe(`${id}\n`);
    answerWith((method, path) =>
      path === "/machines" ? { body: { machines: [{ id, hostname: "node1" }] } } : clusterOf([], [unit])(method, path),
    );
    expect((await run(["__complete", "--", "drain", "no"])).stdout).toBe("node1\n");
    answerWith((method, path) => {
      if (path !== "/machines?lost=true") return clusterOf([], [unit])(method, path);
      return { body: { machines: [{ id, hostname: "node1", state: "lost" }] } };
    });
    expect((await run(["__complete", "--", "uncordon", "no"])).stdout).toBe("node1\n");
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
  it("works in zsh from a file in fpath at the first Tab", () => {
    const script = `compadd() { printf '%s\\n' "\${found[@]}"; }; cp "$SCRIPT" "$HOME/_fleetctl"; fpath=("$HOME" $fpath); autoload -Uz _fleetctl; words=(fleetctl li); CURRENT=2; _fleetctl; _fleetctl`;
    expect(inShell("zsh", script)).toBe("list-machines\nlist-units\n".repeat(2));
  });
  it("offers nothing in zsh where there is nothing", () => {
    const script = `compdef() { :; }; compadd() { printf added; }; source "$SCRIPT"; words=(fleetctl no); CURRENT=2; _fleetctl`;
    expect(inShell("zsh", `${script}; true`)).toBe("");
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
