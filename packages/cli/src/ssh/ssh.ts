import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs, linesOf } from "../child-process.ts";
import type { SshFlags } from "../command-line/flag-values.ts";
import { CommandError } from "../errors.ts";
import { askpassEnvironment } from "./askpass.ts";
import { readSshHost, type SshHost, type SshOptions, type SshTask, sshCommand } from "./ssh-command.ts";

/** An open tunnel: connections made through it end at the far side's socket. */
export interface Tunnel {
  connect(): Duplex;
  close(): void;
}

/** Everything that happens after authentication takes no longer than this. */
const FORWARD_MS = 10_000;
/** How long a user may take to answer ssh's questions. */
const QUESTIONS_MS = 120_000;

/** The system's OpenSSH. */
export class Ssh {
  readonly #flags: SshFlags;
  readonly #env: NodeJS.ProcessEnv;
  readonly #isTerminal: boolean;

  /** @param isTerminal whether a person can be asked at standard input's terminal */
  constructor(flags: SshFlags, env: NodeJS.ProcessEnv, isTerminal: boolean) {
    this.#flags = flags;
    this.#env = env;
    this.#isTerminal = isTerminal;
  }

  /** Runs a shell or a command on a host, with this program's streams. Returns its exit code; ssh's own failures are 255. */
  run(target: SshHost, task: SshTask, options: SshOptions = {}): Promise<number> {
    const child = this.#spawn(sshCommand(this.#flags, target, task, options), "inherit");
    endWithUs(child);
    return new Promise((resolve, reject) => {
      child.once("error", (error) => reject(missing(error)));
      child.once("exit", (code, signal) => resolve(code ?? (signal === null ? 255 : 128)));
    });
  }

  /** The lines that a command prints on a host, as they come; ssh's own failures are errors. */
  lines(target: SshHost, line: string, options: SshOptions, signal: AbortSignal): AsyncIterable<string> {
    const command = sshCommand(this.#flags, target, { kind: "command", line }, options);
    const errors = options.isUnattended === true ? "pipe" : "inherit";
    return linesOf(this.#spawn(command, "pipe", errors), `ssh to ${target.host}`, signal);
  }

  /**
   * Opens a tunnel to a socket, or a host and port, that the bastion reaches.
   *
   * @param to a path, or `host:port`
   */
  async openTunnel(to: string): Promise<Tunnel> {
    const { tunnel } = this.#flags;
    if (tunnel === null) throw new CommandError("a tunnel needs --tunnel HOST[:PORT]");
    const folder = mkdtempSync(join(tmpdir(), "fleetctl-"));
    const socket = join(folder, "api.sock");
    const bastion = readSshHost(tunnel, "--tunnel");
    const child = this.#spawn(sshCommand(this.#flags, bastion, { kind: "forward", from: socket, to }), "ignore");
    const close = (): void => {
      process.removeListener("exit", close);
      child.kill("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    };
    process.once("exit", close);
    try {
      await this.#opened(child, socket);
    } catch (error) {
      close();
      throw error;
    }
    child.unref();
    return { connect: () => connect(socket), close };
  }

  async #opened(child: ChildProcess, socket: string): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<CommandError>();
    child.once("error", (error) => resolve(missing(error)));
    child.once("exit", (code) =>
      resolve(
        new CommandError(`the tunnel through ${this.#flags.tunnel} could not be opened: ssh exited with ${code}`),
      ),
    );
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    const endsAt = performance.now() + this.#flags.timeoutMs + FORWARD_MS + QUESTIONS_MS;
    while (!existsSync(socket)) {
      if (isOver) throw await ended;
      if (performance.now() > endsAt) throw new CommandError(`the tunnel through ${this.#flags.tunnel} timed out`);
      await sleep(10);
    }
  }

  #spawn(
    [program = "", ...args]: readonly string[],
    output: "inherit" | "ignore" | "pipe",
    errors: "inherit" | "pipe" = "inherit",
  ): ChildProcess {
    if (this.#flags.isStrict) mkdirSync(dirname(this.#flags.knownHostsFile), { recursive: true, mode: 0o700 });
    const env = this.#isTerminal ? this.#env : { ...this.#env, ...askpassEnvironment(this.#env) };
    return spawn(program, args, { env, stdio: ["inherit", output, errors] });
  }
}

function missing(error: Error): CommandError {
  const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return new CommandError(
    isMissing ? "ssh is not installed here: install OpenSSH's client" : `ssh could not be started: ${error.message}`,
    { cause: error },
  );
}
