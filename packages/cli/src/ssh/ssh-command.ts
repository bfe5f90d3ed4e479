import type { SshFlags } from "../command-line/flag-values.ts";
import { CommandError } from "../errors.ts";
import { shellLine } from "./quote.ts";

/** Where an SSH server is. */
export interface SshHost {
  readonly host: string;
  /** Absent: the one of --ssh-username. */
  readonly user?: string;
  /** Null: what the user's configuration says, or 22. */
  readonly port: number | null;
}

/** What is to be done there. */
export type SshTask =
  /** An interactive shell. */
  | { readonly kind: "shell" }
  /** A line for the remote shell. */
  | { readonly kind: "command"; readonly line: string }
  /** Everything that comes to a local socket goes to a socket, or a host and port, at the far side. */
  | { readonly kind: "forward"; readonly from: string; readonly to: string };

/**
 * What ssh is to do with the words of a command.
 *
 * @param isQuoted false: they are joined into a line for the remote shell, as ssh itself does; true: each reaches the
 * command as it is
 */
export function taskOf(words: readonly string[], isQuoted: boolean): SshTask {
  if (words.length === 0) return { kind: "shell" };
  return { kind: "command", line: isQuoted ? shellLine(words) : words.join(" ") };
}

/** Details of one connection. */
export interface SshOptions {
  readonly port?: number | null;
  readonly forwardAgent?: boolean;
  /** True: it reads nothing that is typed, and its words are the reason of its failure and not for the terminal. */
  readonly isUnattended?: boolean;
}

/** Reads `[USER@]HOST[:PORT]`, with brackets around an IPv6 address that has a port. */
export function readSshHost(text: string, flag: string): SshHost {
  // An address with several colons and no brackets is one without a port.
  const isAddress = /^[^[\]]*:[^[\]]*:/.test(text);
  const [, name, digits] = isAddress ? [text, text] : (/^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? []);
  const host = name?.replace(/^\[|\]$/g, "") ?? "";
  // A name that begins with a dash would be read as an option by ssh.
  const isFine = /^[A-Za-z0-9_%.:@-]+$/.test(host) && !host.startsWith("-") && (digits === undefined || isPort(digits));
  if (!isFine) throw new CommandError(`invalid ${flag} ${JSON.stringify(text)}: expected HOST or HOST:PORT`);
  const at = host.lastIndexOf("@");
  const port = digits === undefined ? null : Number(digits);
  return at < 0 ? { host, port } : { host: host.slice(at + 1), user: host.slice(0, at), port };
}

/** Reads `--ssh-port`. */
export function readPort(text: string): number {
  if (isPort(text)) return Number(text);
  throw new CommandError(`invalid --ssh-port ${JSON.stringify(text)}: expected a port from 1 to 65535`);
}

/**
 * The command that has OpenSSH do it: the user's own configuration and agent, with this tool's known-hosts file, host-key
 * policy, time-out and user.
 */
export function sshCommand(
  flags: SshFlags,
  target: SshHost,
  task: SshTask,
  options: SshOptions = {},
): readonly string[] {
  const bastion = flags.tunnel === null ? null : readSshHost(flags.tunnel, "--tunnel");
  const isBastion = bastion !== null && bastion.host === target.host && bastion.port === target.port;
  const words = ["ssh", ...policy(flags, target)];
  if (bastion !== null && !isBastion) {
    const jump = ["ssh", ...policy(flags, bastion), ...port(bastion.port), "-W", "[%h]:%p", bastion.host];
    // ssh replaces % itself, and then gives the line to a shell.
    const line = shellLine(jump.map((word) => (word === "[%h]:%p" ? word : word.replaceAll("%", "%%"))));
    words.push("-o", `ProxyCommand=${line}`);
  }
  if (options.forwardAgent === true) words.push("-A");
  if (options.isUnattended === true) words.push("-n");
  words.push(...port(options.port ?? target.port));
  switch (task.kind) {
    case "shell":
      return [...words, "--", target.host];
    case "command":
      return [...words, "--", target.host, task.line];
    case "forward":
      return [
        ...words,
        ...["-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindMask=0177"],
        ...["-o", "ServerAliveInterval=5", "-L", `${task.from}:${task.to}`],
        "--",
        target.host,
      ];
  }
}

function policy(
  { username, timeoutMs, knownHostsFile, isStrict }: SshFlags,
  { user = username }: SshHost,
): readonly string[] {
  const set = (name: string, value: string): readonly string[] => ["-o", `${name}=${value}`];
  const hosts = isStrict
    ? [
        ...set("StrictHostKeyChecking", "ask"),
        ...set("UserKnownHostsFile", quotedPath(knownHostsFile)),
        // The old fleetctl shares the file, and can't read hashed names.
        ...set("HashKnownHosts", "no"),
      ]
    : [
        ...set("StrictHostKeyChecking", "no"),
        ...set("UserKnownHostsFile", "/dev/null"),
        ...set("GlobalKnownHostsFile", "/dev/null"),
        ...set("LogLevel", "ERROR"),
      ];
  return [...hosts, ...set("ConnectTimeout", String(Math.max(1, Math.ceil(timeoutMs / 1000)))), ...set("User", user)];
}

/** A path as ssh_config takes it: blanks would part it into several files, % begins a token. */
function quotedPath(path: string): string {
  return `"${path.replaceAll("%", "%%").replaceAll('"', '\\"')}"`;
}

function port(number: number | null): readonly string[] {
  return number === null ? [] : ["-p", String(number)];
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536;
}
