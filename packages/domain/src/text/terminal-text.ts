/**
 * What a terminal would obey or hide in a text: control characters (C0, DEL, C1), marks that turn the direction of writing
 * around, other line ends, and halves of characters.
 */
const UNSAFE = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * A text of somebody else's as one line that is safe to print: names, metadata, messages. What a terminal would act on is
 * written out as `\n`, `\x1b` or `\u202e`; all else stays as it is, so the line is for people, not to be read back.
 */
export function terminalLine(text: string): string {
  return text.replace(UNSAFE, (character) => SHORT[character] ?? escaped(character));
}

/** The same for a text of several lines, such as a unit file or a journal: its line ends and tabs stay. */
export function terminalText(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === "\n" || character === "\t" ? character : terminalLine(character),
  );
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
