import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UnitFileError } from "./errors.ts";
import { joinedValue, parseUnitFile, serializeUnitFile } from "./file.ts";
import { analyze } from "./testing/analyze.ts";

/**
 * What systemd reads in a file, by what it complains of: it knows no such type of service, and names the value as it has
 * joined it, and it knows none of the other options.
 */
function readBySystemd(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const value = /^\d+: Failed to parse service type, ignoring: (.*)$/s.exec(line)?.[1];
    if (value !== undefined) return value === "" ? [] : [`Service.Type=${value}`];
    const [, name, section] =
      /^\d+: Unknown key(?: name)? '(.*)' in section '?\[?([A-Za-z]+)\]?'?, ignoring\.$/.exec(line) ?? [];
    return name === undefined ? [] : [`${section}.${name}`];
  });
}

/** The same as fleet reads it; null: fleet refuses the file. */
function readByFleet(text: string): readonly string[] | null {
  try {
    return parseUnitFile(text).flatMap(({ section, name, value }) => {
      const joined = joinedValue(value);
      if (section !== "Service" && section !== "Unit") return [];
      if (section === "Service" && name === "Type") return joined === "" ? [] : [`Service.Type=${joined}`];
      return [`${section}.${name}`];
    });
  } catch (error) {
    if (error instanceof UnitFileError) return null;
    throw error;
  }
}

const FORMS: readonly (readonly [what: string, text: string])[] = [
  ["a comment that ends in a backslash", "[Service]\n# c \\\nFoo=a\nType=b\n"],
  ["a comment of the other kind that ends in a backslash", "[Service]\n; c \\\nFoo=a\n"],
  ["a value that ends in two backslashes", "[Service]\nType=a\\\\\nFoo=b\n"],
  ["a value that ends in two backslashes above a section", "[Service]\nType=a\\\\\n[Unit]\nFoo=b\n"],
  ["a value that ends in three backslashes", "[Service]\nType=a\\\\\\\nFoo=b\nBar=c\n"],
  ["a comment within a value", "[Service]\nType=a \\\n# c\n  b\nFoo=a\n"],
  ["a comment that ends in a backslash within a value", "[Service]\nType=a \\\n# c \\\n  b\nFoo=a\n"],
  ["several comments within a value", "[Service]\nType=a \\\n# c\n;d \\\n\t# e\n  b\nFoo=a\n"],
  ["a comment at the end of a value that carries on", "[Service]\nType=a \\\n# c\n\nFoo=a\n"],
  ["a value that carries on to a section", "[Service]\nType=a \\\n[Unit]\nFoo=a\n"],
  ["a value that carries on to the end of the file", "[Service]\nFoo=a\nType=b \\"],
  ["a value that carries on to a blank line", "[Service]\nType=b \\\n\nFoo=a\n"],
  ["a value that carries on to a line of white space", "[Service]\nType=b \\\n \t\nFoo=a\n"],
  ["a backslash before white space", "[Service]\nType=a \\ \nFoo=a\n"],
  ["a value that carries on to white space behind a backslash", "[Service]\nType=a \\\n b\\ \t\nFoo=a\n"],
  ["a line before any section that carries on to one", "Foo=a \\\n[Service]\nFoo=b\n[Unit]\nBar=c\n"],
  ["a byte order mark", "\uFEFF[Service]\nFoo=a\n"],
  ["a byte order mark before a comment that ends in a backslash", "\uFEFF# c \\\n[Service]\nFoo=a\n[Unit]\nBar=b\n"],
  ["line ends of Windows", "[Service]\r\n# c \\\r\nType=a \\\r\n b\r\nFoo=a\r\n"],
  ["a value that begins on the next line", "[Service]\nType=\\\n  a\nFoo=b\n"],
  ["a section of fleet's between two others", "[Service]\nFoo=a\n[X-Fleet]\nGlobal=true\n[Service]\nType=b\n"],
];

describe("fleet reads a file as systemd does, and hands it on so that systemd reads the same", () => {
  const expectSame = (texts: readonly string[]): number => {
    const files = new Map<string, string>();
    for (const [index, text] of texts.entries()) {
      files.set(`original${index}.service`, text);
      if (readByFleet(text) !== null) files.set(`written${index}.service`, serializeUnitFile(parseUnitFile(text)));
    }
    const said = analyze(files);
    let count = 0;
    for (const [index, text] of texts.entries()) {
      const own = readByFleet(text);
      if (own === null) continue;
      count++;
      const original = readBySystemd(said.get(`original${index}.service`) ?? []);
      const written = readBySystemd(said.get(`written${index}.service`) ?? []);
      expect({ text, read: own }).toEqual({ text, read: original });
      expect({ text, read: [...written].sort() }).toEqual({ text, read: [...original].sort() });
    }
    return count;
  };

  it("in all known forms", () => {
    expect(expectSame(FORMS.map(([, text]) => text))).toBe(FORMS.length);
  });
  it("in random files", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "Type=v",
        "Type = v w",
        "Foo=a",
        "Bar =",
        " ;c",
        "# c",
        "[Unit]",
        "[Service]",
        "[X-Fleet]",
        "",
        " ",
        "b",
        "\tb",
      ),
      fc.constantFrom("Type=a\\b", "Type=", "Type=[Unit]", "Type=# no comment"),
    );
    const end = fc.constantFrom("\n", "\n", "\n", "\\\n", " \\\n", "\\\\\n", "\\\\\\\n", "\\ \n", "\r\n", "\\\r\n", "");
    const text = fc
      .array(
        fc.tuple(line, end).map((parts) => parts.join("")),
        { maxLength: 12 },
      )
      .map((lines) => `[Service]\n${lines.join("")}`);
    const texts = fc.sample(text, { numRuns: 2_000 });
    expect(expectSame(texts)).toBeGreaterThan(200);
  });
});
