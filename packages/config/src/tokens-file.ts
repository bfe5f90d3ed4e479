import type { ApiToken } from "./config.ts";
import { readInstant } from "./instant.ts";

/** The tokens of a file, and its lines that can't be used. */
export interface TokensFile {
  readonly tokens: readonly ApiToken[];
  /** Lines count from 1; `expected` ends a sentence that begins with "expected". */
  readonly problems: readonly { readonly line: number; readonly expected: string }[];
}

const LINE = "viewer or operator, fields such as journal=yes, the SHA-256 of a token as 64 hex digits, and a name";

/**
 * Reads a file of API tokens: a line each of role, fields, SHA-256 of the token, and a name. Fields stand before the
 * hash, so that none is taken for the name, which may be any text.
 */
export function parseTokensFile(text: string): TokensFile {
  const tokens: ApiToken[] = [];
  const problems: { line: number; expected: string }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const token = parseLine(trimmed);
    if (typeof token === "string") problems.push({ line: index + 1, expected: token });
    else tokens.push(token);
  }
  return { tokens, problems };
}

/** A token, or what was expected instead. */
function parseLine(line: string): ApiToken | string {
  const [, roleWord = "", fieldWords = "", sha256 = "", name = ""] =
    /^(\S+)((?:\s+[a-z]+=\S*)*)\s+([0-9a-f]{64})(?:\s+(.*))?$/i.exec(line) ?? [];
  const role = roleWord.toLowerCase();
  if (role !== "viewer" && role !== "operator") return LINE;
  let token: ApiToken = {
    role,
    sha256: sha256.toLowerCase(),
    name,
    journal: role === "operator",
    units: null,
    expires: null,
  };
  for (const word of fieldWords.split(/\s+/).filter((each) => each !== "")) {
    const equals = word.indexOf("=");
    const read = FIELDS[word.slice(0, equals).toLowerCase()];
    if (read === undefined) return `${Object.keys(FIELDS).join(", ")} as fields, found ${JSON.stringify(word)}`;
    const field = read(word.slice(equals + 1));
    if (typeof field === "string") return `${field}, found ${JSON.stringify(word)}`;
    token = { ...token, ...field };
  }
  return role === "viewer" && token.units !== null ? "no units= in the line of a viewer, who changes nothing" : token;
}

/** Reads the value of each field, or says what was expected instead. */
const FIELDS: Readonly<Record<string, ((value: string) => Partial<ApiToken> | string) | undefined>> = {
  journal: (value) => {
    if (value === "yes") return { journal: true };
    return value === "no" ? { journal: false } : "journal=yes or journal=no";
  },
  units: (value) => {
    const globs = value.split(",");
    return globs.every(isUnitGlob) ? { units: globs } : "units=GLOB,… with globs of unit names, such as web@*";
  },
  expires: (value) => {
    const instant = readInstant(value);
    return instant === null
      ? "expires= with a day or a time, such as 2027-01-31 or 2027-01-31T18:00:00Z"
      : { expires: instant };
  },
};

/** Whether a text is a glob that a unit's name can match. Whatever else it is, it would take a right away unseen. */
function isUnitGlob(text: string): boolean {
  return /^(?:[A-Za-z0-9:_.@*?-]|\\[^\s,]|\[\^?[^\s,[\]]+\])+$/.test(text);
}
