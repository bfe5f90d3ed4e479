import type { Command as Commander, Option } from "commander";
import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { mostLike } from "../targets/most-like.ts";

/** Letters of a command's name that have to be typed where the command changes something: a slip is not enough. */
const LEAST_LETTERS = 3;

/** A flag that takes no value, with one all the same. */
const SWITCH = /^(--[a-z][a-z-]*)=(?:(true|t|1)|false|f|0)$/i;

/**
 * What old scripts write and the parser does not know: unique beginnings of command names, `-v`, `--flag=true` and
 * `--flag=false` for flags that take no value; global flags behind the command, and operands that look like flags, where a
 * command takes such. A command's own flag goes before a global one of the same name.
 *
 * @throws CommandError where a command's name is not known, or could be several
 */
export function expandArguments(args: readonly string[], program: Commander, commands: readonly Command[]): string[] {
  const line = new Line(program, commands);
  let index = 0;
  while (index < args.length) {
    const rest = line.restFrom(args.slice(index));
    if (rest !== null) return [...line.expanded, ...rest];
    index += line.take(args[index] ?? "", args[index + 1]);
  }
  return line.expanded;
}

/** A command line as far as it has been read. */
class Line {
  readonly #globals: string[] = [];
  /** The command with its flags and operands. */
  readonly #rest: string[] = [];
  readonly #program: Commander;
  readonly #commands: readonly Command[];
  /** What the command's name stands for; both null before it has come. */
  #parser: Commander | null = null;
  #command: Command | null = null;
  #operands = 0;
  /** Flags that were given, by the names that commands read them by. */
  readonly #given: Record<string, unknown> = {};

  constructor(program: Commander, commands: readonly Command[]) {
    this.#program = program;
    this.#commands = commands;
  }

  /** As the parser takes it: global flags, then the rest. */
  get expanded(): string[] {
    return [...this.#globals, ...this.#rest];
  }

  /**
   * What becomes of all that is left of the line, where nothing of it is to be read as a flag.
   *
   * @param args what is left, at least one argument
   * @returns null where flags may come
   */
  restFrom(args: readonly string[]): readonly string[] | null {
    const isParted = args[0] === "--";
    const before = this.#command?.takesRest?.(this.#given);
    if (before === undefined) return isParted ? args : null;
    const isRest = isParted || (!isFlag(args[0] ?? "") && this.#operands >= before);
    return isRest ? verbatim(args, before - this.#operands) : null;
  }

  /**
   * Takes the next argument in.
   *
   * @param following the one after it; absent at the end of the line
   * @returns how many arguments were taken: 2 where the following one is a flag's value
   */
  take(argument: string, following: string | undefined): 1 | 2 {
    if (isFlag(argument)) return this.#takeFlag(argument, following);
    if (this.#parser === null) this.#takeCommand(argument);
    else this.#takeOperand(argument, this.#parser);
    return 1;
  }

  #takeFlag(typed: string, following: string | undefined): 1 | 2 {
    // Go's flags have one dash or two, whatever their length.
    const argument = /^--[A-Za-z]$/.test(typed) ? typed.slice(1) : typed;
    const flag = argument === "-v" && this.#parser === null ? "--version" : argument;
    // Help of help is help.
    if (this.#rest[0] === "help" && (flag === "--help" || flag === "-h")) return 1;
    const option = this.#optionOf(flag);
    const target = option !== null && this.#program.options.includes(option) ? this.#globals : this.#rest;
    const switched = this.#switched(flag);
    target.push(...(switched ?? [flag]));
    if (switched !== null || option === null) return 1;
    this.#given[option.attributeName()] = true;
    if (!option.required || flag.includes("=") || following === undefined) return 1;
    target.push(following);
    return 2;
  }

  /** What `--flag=true` or `--flag=false` means, as the parser takes it; null where the argument is no such thing. */
  #switched(argument: string): readonly string[] | null {
    const match = SWITCH.exec(argument);
    if (match === null) return null;
    const [, flag = "", truth] = match;
    const option = this.#optionOf(flag);
    if (option === null || option.required || option.optional) return null;
    if (truth !== undefined) return [flag];
    const opposite = `--no-${flag.slice(2)}`;
    return this.#optionOf(opposite) === null ? [] : [opposite];
  }

  #takeCommand(argument: string): void {
    const name = wholeName(argument, this.#program, this.#commands);
    this.#rest.push(name);
    this.#parser = this.#program.commands.find((candidate) => candidate.name() === name) ?? this.#program;
    this.#command = this.#commands.find((candidate) => candidate.name === name) ?? null;
  }

  #takeOperand(argument: string, parser: Commander): void {
    // "help" takes the name of a command, which may be a beginning too; of itself it has nothing more to say.
    const isAboutCommand = parser.name() === "help" || this.#rest.at(-1) === "help";
    const name = isAboutCommand ? wholeName(argument, this.#program, this.#commands) : argument;
    if (!isAboutCommand || name !== "help") this.#rest.push(name);
    this.#operands++;
  }

  /** The option that a flag is at this place of the line; null: none. */
  #optionOf(flag: string): Option | null {
    const [name] = flag.split("=");
    const options = [...(this.#parser?.options ?? []), ...this.#program.options];
    return options.find(({ long, short }) => long === name || short === name) ?? null;
  }
}

function isFlag(argument: string): boolean {
  return argument.startsWith("-");
}

/** Operands as they are, behind a `--`; a `--` of the user's own after the first `before` of them is dropped. */
function verbatim(args: readonly string[], before: number): string[] {
  const rest = args[0] === "--" ? args.slice(1) : [...args];
  const own = rest[before] === "--" ? [...rest.slice(0, before), ...rest.slice(before + 1)] : rest;
  return ["--", ...own];
}

function wholeName(typed: string, program: Commander, commands: readonly Command[]): string {
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (names.includes(typed)) return typed;
  const other = commands.find(({ aliases }) => aliases?.includes(typed) === true);
  if (other !== undefined) return other.name;
  const hidden = new Set(commands.filter(({ isHidden }) => isHidden === true).map(({ name }) => name));
  const visible = names.filter((name) => !hidden.has(name));
  const classic = [
    "help",
    "version",
    ...commands.filter(({ isClassic }) => isClassic === true).map(({ name }) => name),
  ];
  const begins = (name: string): boolean => name.startsWith(typed);
  // What was unique to old scripts stays so, whatever commands have come since.
  const old = classic.filter(begins);
  const matches = old.length > 0 ? old : visible.filter(begins);
  const [only] = matches;
  const help = 'See "fleetctl help".';
  if (only === undefined) {
    const aliases = commands.flatMap((command) => command.aliases ?? []);
    const meant = mostLike(typed, [...visible, ...aliases]);
    const hint = meant === null ? "" : ` Did you mean ${meant}?`;
    throw new CommandError(`unknown command ${JSON.stringify(typed)}.${hint} ${help}`);
  }
  if (matches.length === 1) {
    const isChange = commands.some(({ name, isChange: changes }) => name === only && changes === true);
    if (!isChange || typed.length >= LEAST_LETTERS) return only;
    throw new CommandError(
      `${JSON.stringify(typed)} is too short for ${only}, which changes something: give at least ${LEAST_LETTERS} letters. ${help}`,
    );
  }
  throw new CommandError(`${JSON.stringify(typed)} could be ${matches.sort().join(" or ")}. ${help}`);
}
