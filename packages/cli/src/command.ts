import type { Context } from "./context.ts";

/** A flag of a command. */
export interface FlagSpec {
  /** As commander takes it: `--lines <n>`, `--no-block`, `-l, --full`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
  /** True: it may be given several times; its values come as a list. */
  readonly isRepeated?: boolean;
  /** True: help does not show it. */
  readonly isHidden?: boolean;
  /** Values that a shell can complete it with. */
  readonly values?: readonly string[];
}

/** The values of a flag that may be repeated. */
export function repeated(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** A command of fleetctl: what help shows of it, and what it does. */
export interface Command {
  readonly name: string;
  /** Other names for it, whole ones only. */
  readonly aliases?: readonly string[];
  /** As commander takes it: `<unit...>`. */
  readonly args: string;
  /** How help shows the operands, where `args` would not say it. */
  readonly usage?: string;
  /** Said on standard error where no operand is given, with exit code 0, as scripts know it; absent: it is an error. */
  readonly saidOfNone?: string;
  readonly summary: string;
  readonly description: string;
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly string[];
  /** True: the old fleetctl has it, and a beginning of its name that was unique there stays so. */
  readonly isClassic?: boolean;
  /** True: it changes something, and is not carried out for a beginning of its name that is very short. */
  readonly isChange?: boolean;
  /** True: it only looks, and an API's last view will do while etcd is away. */
  readonly isLook?: boolean;
  /** True: help does not list it. */
  readonly isHidden?: boolean;
  /** For a command whose operands may look like flags: how many come before those. */
  readonly takesRest?: (flags: Readonly<Record<string, unknown>>) => number;
  /** What a shell can complete its operands with. */
  readonly completes?: "unit" | "file" | "unit-or-file" | "machine" | "machine-or-unit" | readonly string[];
  /** Returns the exit code. */
  run(context: Context, args: readonly string[], flags: Readonly<Record<string, unknown>>): Promise<number>;
}
