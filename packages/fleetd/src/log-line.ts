/** Members of a log record that are not shown as fields: the journal has its own time and priority. */
const NOT_FIELDS: ReadonlySet<string> = new Set(["level", "time", "msg", "part"]);
const PLAIN = /^[\w./:@%+,~*-]+$/;

/**
 * A log record as a person reads it in the journal: the part of the daemon, the sentence, and the record's fields as
 * `key=value`. Values with other characters than names and numbers have are quoted as in JSON, control characters never
 * come through, and the stack of an error follows, a line for each call.
 *
 * @param json the record, as one JSON object
 * @returns the lines
 */
export function readableLines(json: string): readonly string[] {
  const record = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const { part, msg } = record;
  const stack: string[] = [];
  const fields: string[] = [];
  for (const [key, value] of Object.entries(record)) {
    if (NOT_FIELDS.has(key) || value === undefined) continue;
    if (isError(value)) {
      fields.push(`${key}=${shown(value.message)}`);
      stack.push(...value.stack.split("\n").slice(1));
    } else fields.push(`${key}=${shown(value)}`);
  }
  const sentence = printable(typeof msg === "string" ? msg : "");
  const head = typeof part === "string" ? `${part}: ${sentence}` : sentence;
  return [[head, ...fields].join(" "), ...stack.map((line) => printable(line))];
}

/** An error as pino writes it. */
function isError(value: unknown): value is { readonly message: string; readonly stack: string } {
  return typeof value === "object" && value !== null && "stack" in value && typeof value.stack === "string";
}

function shown(value: unknown): string {
  return printable(typeof value === "string" && PLAIN.test(value) ? value : JSON.stringify(value));
}

/** A text without control characters, which would end a line of the journal or steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^\p{Cc}$/u, "\ufffd"),
  );
}
