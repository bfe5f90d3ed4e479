import { terminalLine } from "@fleet/domain/text";
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
  context.write(`${jsonText(value, 2)}\n`);
}

/**
 * A value as JSON in which a terminal finds nothing to act on: control characters that JSON allows, and marks that turn
 * the direction of writing around, are escaped.
 *
 * @param indent spaces of a level; 0: the text is one line
 */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(/[^\n\x20-\x7e]/gu, (unit) =>
    terminalLine(unit) === unit ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
