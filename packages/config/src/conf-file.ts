/** One `key=value` line of a configuration file. `line` counts from 1. */
export interface ConfEntry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** What a configuration file says, and the lines that say nothing: each problem is a sentence with its line. */
export interface ConfFile {
  readonly entries: readonly ConfEntry[];
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/**
 * Reads fleet.conf: `key=value` lines outside of any section, values optionally in one pair of single or double
 * quotes, `#` and `;` comments on lines of their own. A `#` inside a value belongs to the value, since passwords
 * hold them.
 *
 * @param text the whole file
 */
export function parseConfFile(text: string): ConfFile {
  const entries: ConfEntry[] = [];
  const problems: { line: number; message: string }[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const content = raw.trim();
    const line = index + 1;
    if (content === "" || content.startsWith("#") || content.startsWith(";")) continue;
    if (content.startsWith("[")) {
      problems.push({ line, message: `sections are not supported: move the options out of ${content}` });
      continue;
    }
    const equals = content.indexOf("=");
    if (equals < 1) {
      problems.push({ line, message: `expected key=value, found ${JSON.stringify(content)}` });
      continue;
    }
    entries.push({ key: content.slice(0, equals).trim(), value: unquote(content.slice(equals + 1).trim()), line });
  }
  return { entries, problems };
}

function unquote(value: string): string {
  const first = value[0];
  return value.length >= 2 && (first === '"' || first === "'") && value.endsWith(first) ? value.slice(1, -1) : value;
}
