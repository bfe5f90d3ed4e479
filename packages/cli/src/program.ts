import { VERSION } from "@fleet/config/version";
import { Command as Commander, CommanderError, Option } from "commander";
import { connect } from "./client/connect.ts";
import type { FleetClient } from "./client/fleet-client.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";
import { DEPRECATED_FLAGS, GLOBAL_FLAGS, readGlobalFlags } from "./global-flags.ts";

/** The world that fleetctl runs in. */
export interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** A file's bytes; null where there is no such file. */
  readonly readFile: (path: string) => Uint8Array | null;
}

/** Runs fleetctl with the given arguments. Returns the exit code. */
export async function runFleetctl(args: readonly string[], world: World): Promise<number> {
  let exitCode = 0;
  const program = new Commander("fleetctl")
    .description("fleetctl is a command-line interface to fleet, the simplest way to run systemd units on a cluster.")
    .version(`fleetctl version ${VERSION}`, "--version", "print the version and exit")
    .exitOverride()
    .configureOutput({ writeOut: world.write, writeErr: () => undefined })
    .showSuggestionAfterError(true)
    .helpCommand("help [command]", "show help for a command")
    .action(() => program.outputHelp());
  for (const { name, value, description, default: fallback } of GLOBAL_FLAGS) {
    const text = `${description} (default ${JSON.stringify(fallback)}, environment FLEETCTL_${name.replaceAll("-", "_").toUpperCase()})`;
    program.addOption(new Option(value === null ? `--${name}` : `--${name} <${value}>`, text));
  }
  for (const { flags } of DEPRECATED_FLAGS) program.addOption(new Option(flags).hideHelp());
  for (const command of COMMANDS) addCommand(program, command, world, (code) => (exitCode = code));
  program
    .command("verify [units...]", { hidden: true })
    .description("Deprecated: units can't be signed or verified")
    .action(() => {
      world.writeError("WARNING: The signed/verified units feature is DEPRECATED and cannot be used.\n");
      exitCode = 2;
    });
  program
    .command("version")
    .description("Print the version and exit")
    .action(() => world.write(`fleetctl version ${VERSION}\n`));
  try {
    await program.parseAsync(expandArguments(args, program), { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, world, args);
  }
}

function addCommand(program: Commander, command: Command, world: World, finish: (exitCode: number) => void): void {
  const sub = program
    .command(command.args === "" ? command.name : `${command.name} ${command.args}`)
    .summary(command.summary)
    .description(command.description)
    .addHelpText("after", `\nExamples:\n${command.examples.map((example) => `  ${example}\n`).join("")}`)
    .allowExcessArguments(false);
  for (const { flags, description, default: fallback } of command.flags) sub.option(flags, description, fallback);
  if (["submit", "load", "start"].includes(command.name)) sub.addOption(new Option("--sign").hideHelp());
  sub.action(async (...given: unknown[]) => {
    if (sub.opts().sign === true) {
      world.writeError("WARNING: The signed/verified units feature is DEPRECATED and cannot be used.\n");
      return finish(2);
    }
    const operands = command.args === "" ? [] : ([given[0]].flat() as string[]);
    const globals = readGlobalFlags(program.opts(), world.env);
    let client: Promise<FleetClient> | null = null;
    const context: Context = {
      flags: globals,
      client: () => {
        client ??= connect(globals);
        return client;
      },
      out: (line) => world.write(`${line}\n`),
      write: world.write,
      err: (line) => world.writeError(`${line}\n`),
      readFile: world.readFile,
    };
    try {
      finish(await command.run(context, operands, sub.opts()));
    } finally {
      await (client as Promise<FleetClient> | null)?.then(
        (open) => open.close(),
        () => undefined,
      );
    }
  });
}

const BOOLEAN = /^(--[a-z][a-z-]*)=(true|t|1|false|f|0)$/i;

/**
 * What old scripts write and the parser does not know: unique beginnings of command names, `-v`, `--flag=true` and
 * `--flag=false` for flags that take no value.
 */
function expandArguments(args: readonly string[], program: Commander): string[] {
  const flagsOf = (command: Commander): readonly Option[] => [...command.options];
  const withoutValue = new Set(
    [program, ...program.commands]
      .flatMap(flagsOf)
      .filter((option) => !option.required && !option.optional)
      .map((option) => option.long),
  );
  const takesValue = new Set(program.options.filter((option) => option.required).map((option) => option.long));
  const expanded: string[] = [];
  let hasCommand = false;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const [, flag, value] = BOOLEAN.exec(argument) ?? [];
    if (argument === "--") {
      expanded.push(...args.slice(index));
      break;
    }
    if (flag !== undefined && value !== undefined && withoutValue.has(flag)) {
      if (/^(true|t|1)$/i.test(value)) expanded.push(flag);
    } else if (argument === "-v" && !hasCommand) {
      expanded.push("--version");
    } else if (argument.startsWith("-")) {
      expanded.push(argument);
      if (takesValue.has(argument) && index + 1 < args.length) expanded.push(args[++index] ?? "");
    } else {
      expanded.push(hasCommand ? argument : wholeName(argument, program));
      hasCommand = true;
    }
  }
  return expanded;
}

function wholeName(typed: string, program: Commander): string {
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (names.includes(typed)) return typed;
  const matches = names.filter((name) => name.startsWith(typed));
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const help = 'See "fleetctl help".';
  if (only === undefined) throw new CommandError(`unknown command ${JSON.stringify(typed)}. ${help}`);
  throw new CommandError(`${JSON.stringify(typed)} could be ${matches.join(" or ")}. ${help}`);
}

function report(error: unknown, world: World, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    world.writeError(`Error: ${error.message.replace(/^error: /, "")}. See "fleetctl help".\n`);
    return 1;
  }
  const isDebug = args.includes("--debug");
  if (error instanceof CommandError) {
    world.writeError(`Error: ${error.message}\n`);
    if (isDebug && error.cause instanceof Error) world.writeError(`${error.cause.stack}\n`);
    return error.exitCode;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  world.writeError(`Error: ${message}\n`);
  if (isDebug) world.writeError(`${stack}\n`);
  return 1;
}
