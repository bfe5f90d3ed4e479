import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { SshFlags } from "../command-line/flag-values.ts";
import { readSshHost, sshCommand, taskOf } from "./ssh-command.ts";

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
      ...["-o", "HashKnownHosts=no", "-o", "ConnectTimeout=3", "-o", "User=core", "--", "192.0.2.1", "true"],
    ]);
    expect(sshCommand({ ...flags, isStrict: false }, target, { kind: "shell" })).toContain("StrictHostKeyChecking=no");
  });
  it("reaches a machine through the bastion by a command that a shell reads as it was meant", () => {
    const words = sshCommand({ ...flags, tunnel: "bastion:2222" }, target, { kind: "shell" }, { port: 23 });
    expect(words.slice(-4)).toEqual(["-p", "23", "--", "192.0.2.1"]);
    const proxy = words.find((word) => word.startsWith("ProxyCommand="))?.slice("ProxyCommand=".length) ?? "";
    const parsed = execFileSync("sh", ["-c", `printf '<%s>' ${proxy.replaceAll("%%", "%")}`], { encoding: "utf8" });
    expect(parsed).toBe(
      '<ssh><-o><StrictHostKeyChecking=ask><-o><UserKnownHostsFile="/home/a b/known%%hosts"><-o><HashKnownHosts=no><-o><ConnectTimeout=3><-o><User=core><-p><2222><-W><[%h]:%p><bastion>',
    );
  });
  it.each([
    [["echo", "a  b", "$HOME"], false, { kind: "command", line: "echo a  b $HOME" }],
    [["echo", "a  b", "$HOME"], true, { kind: "command", line: "echo 'a  b' '$HOME'" }],
    [["a | b"], false, { kind: "command", line: "a | b" }],
    [[], true, { kind: "shell" }],
  ])("of the words %j, quoted %j, makes %j", (words, isQuoted, task) => {
    expect(taskOf(words, isQuoted)).toEqual(task);
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
});
