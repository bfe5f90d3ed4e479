import type { Command as Commander, Option } from "commander";
import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";

const BOOLEAN = /^(--[a-z][a-z-]*)=(true|t|1|false|f|0)$/i;

/**
 * What old scripts write and the parser does not know: unique beginnings of command names, `-v`, `--flag=true` and
 * `--flag=false` for flags that take no value; and operands that look like flags, where a command takes such.
 */
export function expandArguments(args: readonly string[], program: Commander, commands: readonly Command[]): string[] {
  const expanded: string[] = [];
  let command: Commander | null = null;
  let spec: Command | undefined;
  let operands = 0;
  const given: Record<string, unknown> = {};
  const options = (): readonly Option[] => [...program.options, ...(command?.options ?? [])];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const isOperand = argument === "--" || !argument.startsWith("-");
    if (spec?.takesRest !== undefined && isOperand && (argument === "--" || operands >= spec.takesRest(given))) {
      return [...expanded, ...verbatim(args.slice(index), spec.takesRest(given) - operands)];
    }
    const [, flag, value] = BOOLEAN.exec(argument) ?? [];
    const switched =
      flag === undefined
        ? undefined
        : options().find(({ long, required, optional }) => long === flag && !required && !optional);
    if (argument === "--") {
      expanded.push(...args.slice(index));
      break;
    }
    if (switched !== undefined && value !== undefined) {
      const isOn = /^(true|t|1)$/i.test(value);
      const opposite = options().find(({ long }) => long === `--no-${flag?.slice(2)}`);
      if (isOn) expanded.push(switched.long ?? "");
      else if (opposite !== undefined) expanded.push(opposite.long ?? "");
    } else if (argument === "-v" && command === null) {
      expanded.push("--version");
    } else if (argument.startsWith("-")) {
      expanded.push(argument);
      const name = argument.split("=")[0];
      const option = options().find(({ long, short }) => long === name || short === name);
      if (option !== undefined) given[option.attributeName()] = true;
      if (option?.required === true && !argument.includes("=") && index + 1 < args.length) {
        expanded.push(args[++index] ?? "");
      }
    } else if (command === null) {
      const name = wholeName(argument, program, commands);
      expanded.push(name);
      command = program.commands.find((candidate) => candidate.name() === name) ?? program;
      spec = commands.find((candidate) => candidate.name === name);
    } else {
      // "help" takes the name of a command, which may be a beginning too; of itself it has nothing more to say.
      const isAboutCommand = command.name() === "help" || expanded.at(-1) === "help";
      const name = isAboutCommand ? wholeName(argument, program, commands) : argument;
      if (!isAboutCommand || name !== "help") expanded.push(name);
      operands++;
    }
  }
  return expanded;
}

/** Operands as they are, behind a `--`; one of the user's own, after the first `before` of them, parts nothing more. */
function verbatim(args: readonly string[], before: number): string[] {
  const rest = args[0] === "--" ? args.slice(1) : [...args];
  const own = rest[before] === "--" ? [...rest.slice(0, before), ...rest.slice(before + 1)] : rest;
  return ["--", ...own];
}

function wholeName(typed: string, program: Commander, commands: readonly Command[]): string {
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (names.includes(typed)) return typed;
  const classic = [
    "help",
    "version",
    ...commands.filter(({ isClassic }) => isClassic === true).map(({ name }) => name),
  ];
  const begins = (name: string): boolean => name.startsWith(typed);
  // What was unique to old scripts stays so, whatever commands have come since.
  const old = classic.filter(begins);
  const matches = old.length > 0 ? old : names.filter(begins);
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const help = 'See "fleetctl help".';
  if (only === undefined) throw new CommandError(`unknown command ${JSON.stringify(typed)}. ${help}`);
  throw new CommandError(`${JSON.stringify(typed)} could be ${matches.sort().join(" or ")}. ${help}`);
}
