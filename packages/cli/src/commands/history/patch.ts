import { terminalText } from "@fleet/domain/text";
import { createTwoFilesPatch } from "diff";

/** A text of a unit, and what it is called. */
export interface LabelledText {
  readonly label: string;
  readonly text: string;
}

const CONTEXT_LINES = 3;
const CODES: Readonly<Record<string, number>> = { "+": 32, "-": 31, "@": 36 };

/** What changed between two texts of a unit, as a unified diff; all of the second where there is none before it. */
export function patchOf(name: string, before: LabelledText | null, after: LabelledText, hasColors: boolean): string {
  if (before?.text === after.text) return "";
  const options = { context: CONTEXT_LINES };
  const patch = createTwoFilesPatch(
    before === null ? "/dev/null" : name,
    name,
    before?.text ?? "",
    after.text,
    before?.label ?? "",
    after.label,
    options,
  );
  const lines = terminalText(patch)
    .split("\n")
    .filter((line) => !/^=+$/.test(line));
  if (!hasColors) return lines.join("\n");
  return lines
    .map((line) => {
      const code = /^(---|\+\+\+) /.test(line) ? 1 : CODES[line[0] ?? ""];
      return code === undefined ? line : `\u001b[${code}m${line}\u001b[0m`;
    })
    .join("\n");
}
