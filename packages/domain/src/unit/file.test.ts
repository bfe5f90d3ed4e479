import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hashUnitFile,
  invalidOption,
  LINE_LIMIT,
  parseUnitFile,
  serializeUnitFile,
  UnitFileError,
  walkUnitFile,
} from "./index.ts";

const option = (section: string, name: string, value: string) => ({ section, name, value });
const failure = (source: string | Uint8Array): UnitFileError => {
  try {
    parseUnitFile(source);
  } catch (error) {
    if (error instanceof UnitFileError) return error;
  }
  return expect.unreachable();
};

describe("hashes are the old fleet's", () => {
  it.each([
    [
      `[Unit]\nDescription=Hello World\n[Service]\nExecStart=/bin/bash -c "while true; do echo \\"Hello, world\\"; sleep 1; done"\n`,
      119,
      "e55c0aeb44ba0b68004ceb8a200e685194448b45",
    ],
    [
      "[Service]\nExecStart=/bin/a \\\n  b\nEnvironment=\n[X-Fleet]\nConflicts=x* y*\n[Service]\nExecStop=/bin/c\n",
      89,
      "03020fbc0c0f1cb89d39373c2247d4cba18ac3ef",
    ],
  ])("for known answer %#", (text, bytes, hash) => {
    const options = parseUnitFile(text);
    expect(Buffer.byteLength(serializeUnitFile(options))).toBe(bytes);
    expect(hashUnitFile(options)).toBe(hash);
  });
});

describe("parsing", () => {
  it.each([
    ["skips what stands before any section", "a=b\n[S]\nc=d\n", [option("S", "c", "d")]],
    ["skips comments, which never carry on", "[S]\n# x \\\nb=c\n ; y\n", [option("S", "b", "c")]],
    ["ends a value at two backslashes", "[S]\na=b\\\\\n[T]\nc=d\n", [option("S", "a", "b\\\\"), option("T", "c", "d")]],
    ["leaves a comment out of a value", "[S]\na=b \\\n# c\n d\n", [option("S", "a", "b \\\n d")]],
    [
      "keeps a comment in a value that the old fleet keeps",
      "[S]\na=b \\\n# c \\\n d\n",
      [option("S", "a", "b \\\n# c \\\n d")],
    ],
    [
      "keeps a backslash before white space from carrying on",
      "[S]\na=b \\ \nc=d\n",
      [option("S", "a", "b \\ "), option("S", "c", "d")],
    ],
    ["carries a line before any section on", "a=b \\\n[S]\nc=d\n[T]\ne=f\n", [option("T", "e", "f")]],
    ["trims names and values", "[S]\n  a  =   b c  \n", [option("S", "a", "b c")]],
    ["keeps an empty value, which resets a list", "[S]\na=\n", [option("S", "a", "")]],
    ["keeps backslash and line end of a continued value", "[S]\na=b \\\n c\n", [option("S", "a", "b \\\n c")]],
    [
      "ends a continued value at an empty line",
      "[S]\na=b \\\n\nc=d\n",
      [option("S", "a", "b \\\n"), option("S", "c", "d")],
    ],
    ["takes line ends of Windows", "[S]\r\na=b\r\n", [option("S", "a", "b")]],
    ["takes a file without a last line end", "[S]\na=b", [option("S", "a", "b")]],
    ["keeps = in a value", "[S]\na=b=c\n", [option("S", "a", "b=c")]],
    ["skips a byte order mark", "\uFEFF[S]\na=b\n", [option("S", "a", "b")]],
    ["takes line ends of Windows in a continued value", "[S]\r\na=b \\\r\n c\r\n", [option("S", "a", "b \\\n c")]],
    ["takes a continued value that ends with the file", "[S]\na=b \\", [option("S", "a", "b \\\n")]],
    ["takes a comment that ends with the file", "[S]\na=b\n# c \\", [option("S", "a", "b")]],
    ["takes a section behind white space", " \t[S]  \na=b\n", [option("S", "a", "b")]],
    [
      "ends a continued value at a line of white space",
      "[S]\na=b \\\n \t\nc=d\n",
      [option("S", "a", "b \\\n"), option("S", "c", "d")],
    ],
    ["takes a comment with line ends of Windows", "[S]\r\n# c \\\r\nd=e\r\n", [option("S", "d", "e")]],
  ])("%s", (_what, text, options) => expect(parseUnitFile(text)).toEqual(options));

  it.each([
    ["text behind a section", "[S] x\n", 1, 'found "x" after the section [S]'],
    ["a section without end", "[S]\n[T\n", 2, "has no closing ]"],
    ["a section whose name carries on", "[S]\n[T \\\nU]\na=b\n", 2, "the section's name carries on to the next line"],
    ["a section that carries on", "[S]\\\na=b\n", 1, "after the section [S]"],
    ["a section without a name", "[S]\n[]\n", 2, "the section has no name"],
    ["text behind a section, without that in the section", "[S] x ]\n", 1, 'found "x ]" after the section [S]'],
    ["a carriage return before text", "[S]\n\ra=b\n", 2, "a carriage return in the middle of a line"],
    ["a name without =", "[S]\n\nabc\n", 3, 'expected Name=value, found "abc"'],
    ["no name", "[S]\n=b\n", 2, "expected a name before ="],
    ["a NUL byte", "[S]\na=b\0\n", 2, "NUL byte"],
    ["a line that systemd would end earlier", "[S]\na=b\rc=d\n", 2, "a carriage return in the middle of a line"],
    ["a comment that systemd would end earlier", "[S]\n# a\rb=c\n", 2, "a carriage return in the middle of a line"],
    ["half a character", "[S]\na=\ud800\n", 2, "not valid UTF-8"],
    ["a byte order mark that systemd may skip", "[S]\n\uFEFFa=b\n", 2, "begins with a byte order mark"],
    [
      "a comment behind white space that systemd does not know",
      "[S]\n\u00a0# c=d\n",
      2,
      'expected Name=value, found "\u00a0# c=d"',
    ],
    [
      "lines that carry on beyond systemd's limit",
      `[S]\na=b\\\n${"x".repeat(LINE_LIMIT - 2)}\n`,
      3,
      "longer than systemd's",
    ],
    ["a line beyond systemd's limit", `[S]\na=${"x".repeat(LINE_LIMIT)}\n`, 2, "longer than systemd's"],
  ])("names the line of %s", (_what, text, line, reason) => {
    const error = failure(text);
    expect(error.line).toBe(line);
    expect(error.message).toContain(reason);
  });
  it("names the line of bytes that are not UTF-8", () => {
    expect(failure(Buffer.from([0x5b, 0x53, 0x5d, 0x0a, 0x61, 0x3d, 0xff, 0x0a])).line).toBe(2);
  });
  it("names the line of bytes that are not UTF-8 in the first line, and in the last one", () => {
    expect(failure(Buffer.from([0x0a, 0xff])).line).toBe(2);
    expect(failure(Buffer.from([0xff, 0x0a])).line).toBe(1);
    expect(failure(Buffer.from([0xff])).message).toBe("line 1: the text is not valid UTF-8");
    expect(failure(Buffer.from([0xc3, 0x0a])).cause).toHaveProperty("name", "TypeError");
  });
  it("takes bytes that are UTF-8, with a byte order mark and without", () => {
    expect(parseUnitFile(Buffer.from("\uFEFF[S]\na=é\n"))).toEqual([option("S", "a", "é")]);
    expect(parseUnitFile(Buffer.from("[S]\na=é\n"))).toEqual([option("S", "a", "é")]);
  });
  it("takes the longest line that systemd takes", () => {
    expect(parseUnitFile(`[S]\na=${"x".repeat(LINE_LIMIT - 2)}\n`)).toHaveLength(1);
  });
});

describe("options that did not come from a file", () => {
  const problem = (value: string, name = "a", section = "S") => invalidOption([option(section, name, value)]);
  const SECTION = "a section is text without ] and line ends";
  const NAME = "a name is text without =, line ends and white space around it";
  it.each([
    ["has no section", "b", "a", "", SECTION],
    ["has a section that would end early", "b", "a", "S]", SECTION],
    ["has a section of two lines", "b", "a", "S\nT", SECTION],
    ["has a section with a carriage return", "b", "a", "S\rT", SECTION],
    ["has a section with a NUL byte", "b", "a", "S\0T", SECTION],
    ["has no name", "b", "", "S", NAME],
    ["has a name behind white space", "b", " a", "S", NAME],
    ["has a name before white space", "b", "a\t", "S", NAME],
    ["has a name with =", "b", "a=c", "S", NAME],
    ["has a name of two lines", "b", "a\nc", "S", NAME],
    ["has a name with a carriage return", "b", "a\rc", "S", NAME],
    ["has a name with a NUL byte", "b", "a\0c", "S", NAME],
    ["would be a section", "b", "[a", "S", NAME],
    ["would be a comment", "b", "#a", "S", NAME],
    ["would be a comment of the other kind", "b", ";a", "S", NAME],
    ["has a NUL byte", "b\0", "a", "S", "a NUL byte is not allowed"],
    ["has half a character in its value", "\ud800", "a", "S", "the text is not valid Unicode"],
    ["has half a character in its name", "b", "a\ud800", "S", "the text is not valid Unicode"],
    ["has a carriage return", "b\rc=d", "a", "S", "systemd would end the line at the carriage return"],
    ["has another option in it", "b\nc=d", "a", "S", "a line end in a value needs a backslash before it"],
    ["begins with a line end", "\nb", "a", "S", "a line end in a value needs a backslash before it"],
    ["ends in a line end", "b\n", "a", "S", "a line end in a value needs a backslash before it"],
    ["begins with white space", " b", "a", "S", "white space around a value is not kept by systemd; leave it out"],
    ["ends in white space", "b ", "a", "S", "white space around a value is not kept by systemd; leave it out"],
    ["has a comment that is lost", "b \\\n# c\n d", "a", "S", "a comment in a value needs a backslash at its end"],
    ["carries on behind two backslashes", "b\\\\\nc=d", "a", "S", "a line end in a value needs a backslash before it"],
    ["carries on behind a comment only", "b\n# c \\\nd", "a", "S", "a line end in a value needs a backslash before it"],
    ["begins with a byte order mark", "b", "\uFEFFa", "S", NAME],
    [
      "has a byte order mark that systemd may skip",
      "b\\\n\uFEFFc",
      "a",
      "S",
      "systemd may skip the byte order mark at a line's beginning",
    ],
    ["would swallow the next", "b\\", "a", "S", "a value that ends in a backslash would swallow the next line"],
  ])("are refused where one %s", (_what, value, name, section, reason) => {
    expect(problem(value, name, section)).toBe(
      `option ${JSON.stringify(name)} in section ${JSON.stringify(section)}: ${reason}`,
    );
  });
  it.each([
    ["is empty", ""],
    ["has several words", "b c"],
    ["goes on in the next line", "b \\\n c"],
    ["goes on in two more lines", "b\\\nc\\\nd"],
    ["ends where the file would have an empty line", "b \\\n"],
    ["has a backslash in it", "b\\c"],
    ["ends in two backslashes", "b\\\\"],
    ["ends in a backslash before a space", "b\\ "],
    ["has a comment that ends in a backslash in it", "b \\\n# c \\\n d"],
    ["ends in such a comment", "b \\\n# c \\\n"],
    ["has brackets, comments and = in it", "[#;=]"],
  ])("are taken where a value %s", (_what, value) => expect(problem(value)).toBeNull());
  it.each(["a[", "a#", "a;", "a b", "é"])("may have the name %s", (name) => expect(problem("b", name)).toBeNull());
  it("are refused for the first that is wrong, and none are right", () => {
    expect(invalidOption([option("S", "a", "b"), option("S", "", "b")])).toContain('option "" in section "S"');
    expect(invalidOption([])).toBeNull();
  });
  it("may have lines as long as systemd takes, each counted with the name before it, in bytes", () => {
    const tooLong = `option "name" in section "S": a line is longer than systemd's ${LINE_LIMIT} bytes`;
    const longest = "x".repeat(LINE_LIMIT - "name=".length);
    expect([problem(longest, "name"), problem(`${longest}x`, "name")]).toEqual([null, tooLong]);
    expect(problem(`b\\\n${longest}x`, "name")).toBe(tooLong);
    expect(problem("é".repeat(LINE_LIMIT / 2), "name")).toBe(tooLong);
  });
  it("are shown shortened where they are long", () => {
    expect(problem("b", `=${"n".repeat(59)}`)).toContain(`option "=${"n".repeat(59)}" in`);
    expect(problem("b", `=${"n".repeat(60)}`)).toContain(`option "=${"n".repeat(56)}..." in`);
  });
});

describe("a walk through a unit file", () => {
  it("tells line by line what stands there", () => {
    const heard: unknown[] = [];
    walkUnitFile("a=b\n\n [S]\n# c \\\n\ne=f \\\n g\nh=i\n", {
      onStray: (line) => heard.push(["stray", line]),
      onSection: (name, line) => heard.push(["section", name, line]),
      onOption: ({ name }, line) => heard.push(["option", name, line]),
    });
    expect(heard).toEqual([
      ["stray", 1],
      ["section", "S", 3],
      ["option", "e", 6],
      ["option", "h", 8],
    ]);
  });
  it("needs nobody to hear of sections and strays", () => {
    expect(() => walkUnitFile("a=b\n[S]\n", { onOption: () => undefined })).not.toThrow();
  });
});

describe("properties", () => {
  const signs = /^[[\]=\\#; \n\r\ta-zA-Z"%äé\u2028]{0,80}$/;
  const pieces = [
    "[S]\n",
    "[",
    "]",
    "a",
    "=",
    "\\",
    "#",
    ";",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    '"',
    "é",
    "\u2028",
    "\uFEFF",
  ];
  const fileLike = fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map((some) => `[S]\n${some.join("")}`);
  const anyText = fc.oneof(fc.stringMatching(signs), fileLike);
  it("no input crashes the parser in any other way than its error, and what it reads it reads again alike", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ unit: "binary" })), (text) => {
        try {
          const options = parseUnitFile(text);
          const written = serializeUnitFile(options);
          expect(serializeUnitFile(parseUnitFile(written))).toBe(written);
          expect(invalidOption(options)).toBeNull();
        } catch (error) {
          if (!(error instanceof UnitFileError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });
  it("no bytes crash the parser", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseUnitFile(bytes);
        } catch (error) {
          if (!(error instanceof UnitFileError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });
  it("options that pass the check are read back as they were written, so that nothing can be smuggled in", () => {
    const text = fc.stringMatching(/^[[\]=\\#; \n\ra-z]{0,12}$/);
    fc.assert(
      fc.property(
        fc.array(fc.record({ section: text, name: text, value: text }), { minLength: 1, maxLength: 4 }),
        (options) => {
          if (invalidOption(options) !== null) return;
          const grouped = [...Map.groupBy(options, ({ section }) => section).values()].flat();
          expect(parseUnitFile(serializeUnitFile(options))).toEqual(grouped);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
