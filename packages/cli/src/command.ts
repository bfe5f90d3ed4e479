import type { Context } from "./context.ts";

/** A flag of a command. */
export interface FlagSpec {
  /** As commander takes it: `--lines <n>`, `--no-block`, `-l, --full`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
}

/** A command of fleetctl: what help shows of it, and what it does. */
export interface Command {
  readonly name: string;
  /** As commander takes it: `<unit...>`. */
  readonly args: string;
  readonly summary: string;
  readonly description: string;
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly string[];
  /** Returns the exit code. */
  run(context: Context, args: readonly string[], flags: Readonly<Record<string, unknown>>): Promise<number>;
}
