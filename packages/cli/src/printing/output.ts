import type { FlagSpec } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";

/** The flag of every command that can print JSON. */
export const OUTPUT_FLAG: FlagSpec = {
  flags: "-o, --output <format>",
  description: "text, or json for other programs",
  default: "text",
  values: ["text", "json"],
};

/** Whether OUTPUT_FLAG asks for JSON. */
export function readOutput({ output }: Readonly<Record<string, unknown>>): boolean {
  if (output === "json") return true;
  if (output === "text" || output === undefined) return false;
  throw new CommandError(`invalid --output ${JSON.stringify(output)}: expected text or json`);
}

/** Prints a value as indented JSON. */
export function printJson(context: Context, value: unknown): void {
  context.write(`${JSON.stringify(value, null, 2)}\n`);
}
