import type { LastView } from "@fleet/client";
import { VERSION } from "@fleet/config/version";
import { terminalLine, terminalText } from "@fleet/domain/text";
import { Command as Commander, CommanderError, Option } from "commander";
import type { ClusterClient } from "./client/cluster-client.ts";
import { isOlder } from "./client/version.ts";
import type { Command } from "./command.ts";
import { expandArguments } from "./command-line/arguments.ts";
import { DEPRECATED_FLAGS, GLOBAL_FLAGS, readGlobalFlags } from "./command-line/global-flags.ts";
import { COMMANDS } from "./commands/index.ts";
import { SIGNED_UNITS_WARNING } from "./commands/units/verify.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";
import { Ssh } from "./ssh/ssh.ts";

/** The world that fleetctl runs in. */
export interface World
  extends Pick<
    Context,
    "terminal" | "openScreen" | "signal" | "localMachineID" | "readFile" | "run" | "output" | "lines" | "drained"
  > {
  readonly env: NodeJS.ProcessEnv;
  readonly write: (text: string | Uint8Array) => void;
  readonly writeError: (text: string) => void;
  /** Whether somebody looks at standard error, and sits at standard input. */
  readonly isWatched: boolean;
  readonly isTyped: boolean;
}

/** Runs fleetctl with the given arguments. Returns the exit code. */
export async function runFleetctl(args: readonly string[], world: World): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(world, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(expandArguments(args, program, COMMANDS), { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, world, isDebug(program, world));
  }
}

function buildProgram(world: World, finish: (exitCode: number) => void): Commander {
  const program = new Commander("fleetctl")
    .description("fleetctl is a command-line interface to fleet, the simplest way to run systemd units on a cluster.")
    .version(`fleetctl version ${VERSION}`, "--version", "print the version and exit")
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ helpWidth: 120 })
    .configureOutput({
      writeOut: world.write,
      writeErr: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showSuggestionAfterError(true)
    .helpCommand("help [command]", "show help for a command")
    // Scripts take the version from here.
    .addHelpText("after", `\nVERSION:\n  ${VERSION}`)
    .action(() => program.outputHelp());
  for (const { name, value, description, default: fallback } of GLOBAL_FLAGS) {
    const text = `${description} (default ${JSON.stringify(fallback)}, environment FLEETCTL_${name.replaceAll("-", "_").toUpperCase()})`;
    program.addOption(new Option(value === null ? `--${name}` : `--${name} <${value}>`, text));
  }
  program.addOption(new Option("--no-strict-host-key-checking").hideHelp());
  for (const { flags } of DEPRECATED_FLAGS) program.addOption(new Option(flags).hideHelp());
  for (const command of COMMANDS) addCommand(program, command, world, finish);
  program
    .command("version")
    .description("Print the version and exit")
    .allowExcessArguments(true)
    .action(() => world.write(`fleetctl version ${VERSION}\n`));
  return program;
}

function addCommand(program: Commander, command: Command, world: World, finish: (exitCode: number) => void): void {
  const sub = program
    .command(command.args === "" ? command.name : `${command.name} ${command.args}`, {
      hidden: command.isHidden === true,
    })
    .summary(command.summary)
    .description(flowing(command.description))
    .addHelpText("after", `\nExamples:\n${command.examples.map((example) => `  ${example}\n`).join("")}`)
    // The old fleetctl passed over what it did not expect, and so do its commands here.
    .allowExcessArguments(command.isClassic === true);
  if (command.usage !== undefined) sub.usage(`[options] ${command.usage}`);
  for (const flag of command.flags) {
    const option = new Option(flag.flags, flag.description + (flag.isRepeated === true ? "; may be repeated" : ""));
    if (flag.default !== undefined) option.default(flag.default);
    if (flag.isHidden === true) option.hideHelp();
    if (flag.isRepeated === true) option.argParser((value, before: unknown) => [before ?? [], value].flat());
    sub.addOption(option);
  }
  if (["submit", "load", "start"].includes(command.name)) sub.addOption(new Option("--sign").hideHelp());
  sub.action(async (...given: unknown[]) => {
    if (sub.opts().sign === true) world.writeError(`${SIGNED_UNITS_WARNING}\n`);
    const operands = command.args === "" ? [] : ([given[0] ?? []].flat() as string[]);
    if (operands.length === 0 && command.saidOfNone !== undefined) {
      if (command.saidOfNone !== "") world.writeError(`${command.saidOfNone}\n`);
      return finish(0);
    }
    const { context, close } = contextOf(program, world, command);
    try {
      finish(await command.run(context, operands, sub.opts()));
    } finally {
      await close();
    }
  });
}

/** A text without the line ends within its paragraphs: help breaks lines by itself. Lines that are indented stay. */
function flowing(text: string): string {
  return text.replace(/(?<!\n)\n(?!\s)/g, " ");
}

function contextOf(
  program: Commander,
  world: World,
  { isLook }: Command,
): { readonly context: Context; close(): Promise<void> } {
  const flags = readGlobalFlags(program.opts(), world.env);
  const ssh = new Ssh(flags.ssh, world.env, world.isTyped);
  let client: Promise<ClusterClient> | null = null;
  let isShown = false;
  const context: Context = {
    flags,
    ssh,
    flagsOf: (line) => readGlobalFlags(line, world.env),
    terminal: world.terminal,
    openScreen: world.openScreen,
    signal: world.signal,
    localMachineID: world.localMachineID,
    client: () => {
      client ??= import("./client/connect.ts").then(({ connect }) =>
        connect(flags, ssh, isLook === true ? lastViewSayer(context.err) : null),
      );
      return client;
    },
    out: (line) => world.write(`${terminalLine(line)}\n`),
    write: world.write,
    err: (line) => world.writeError(`${terminalLine(line)}\n`),
    progress: (line) => {
      if (!world.isWatched || (line === null && !isShown)) return;
      isShown = line !== null;
      world.writeError(line === null ? "\r\u001b[K" : `\r\u001b[K${terminalLine(line)}`);
    },
    readFile: world.readFile,
    run: world.run,
    lines: world.lines,
    drained: world.drained,
    output: world.output,
  };
  const close = async (): Promise<void> => {
    const open = await (client as Promise<ClusterClient> | null)?.catch(() => null);
    if (open == null) return;
    const newest = open.newestVersion();
    if (isOlder(VERSION, newest)) {
      context.err(`WARNING: fleetctl (version ${VERSION}) is older than fleet in the cluster (${newest}): upgrade it.`);
    }
    open.close();
  };
  return { context, close };
}

/** Says, once, that what is shown is old. */
function lastViewSayer(say: (line: string) => void): (view: LastView) => void {
  let isSaid = false;
  return ({ ageSeconds, etcd }) => {
    if (isSaid) return;
    isSaid = true;
    const where = etcd.length === 0 ? "" : ` at ${etcd.join(", ")}`;
    say(`WARNING: etcd${where} can't be reached: this is the API's last view of it, ${ageSeconds} s old.`);
  };
}

/** Whether to show where errors come from; flags that can't be read say nothing of it. */
function isDebug(program: Commander, world: World): boolean {
  try {
    return readGlobalFlags(program.opts(), world.env).debug;
  } catch {
    return false;
  }
}

function report(error: unknown, world: World, isDebugging: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const message = error.message
      .replace(/^error: /, "")
      .replaceAll("\n", " ")
      .replace(/\.$/, "");
    world.writeError(`Error: ${terminalLine(message)}. See "fleetctl help".\n`);
    return 1;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  world.writeError(`Error: ${terminalLine(message)}\n`);
  const origin = error instanceof CommandError ? (error.cause as Error | undefined)?.stack : stack;
  if (isDebugging && origin !== undefined) world.writeError(`${terminalText(origin)}\n`);
  return error instanceof CommandError ? error.exitCode : 1;
}
