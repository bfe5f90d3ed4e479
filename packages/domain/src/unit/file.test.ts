import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashUnitFile, invalidOption, LINE_LIMIT, parseUnitFile, serializeUnitFile, UnitFileError } from "./index.ts";

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
    ["skips comments and their continuations", "[S]\n# x \\\nb=c\n ; y\nd=e\n", [option("S", "d", "e")]],
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
  ])("%s", (_what, text, options) => expect(parseUnitFile(text)).toEqual(options));

  it.each([
    ["text behind a section", "[S] x\n", 1, 'found "x" after the section [S]'],
    ["a section without end", "[S]\n[T\n", 2, "has no closing ]"],
    ["a name without =", "[S]\n\nabc\n", 3, 'expected Name=value, found "abc"'],
    ["no name", "[S]\n=b\n", 2, "expected a name before ="],
    ["a NUL byte", "[S]\na=b\0\n", 2, "NUL byte"],
    ["a line that systemd would end earlier", "[S]\na=b\rc=d\n", 2, "a carriage return in the middle of a line"],
    ["a comment that systemd would end earlier", "[S]\n# a\rb=c\n", 2, "a carriage return in the middle of a line"],
    ["half a character", "[S]\na=\ud800\n", 2, "not valid UTF-8"],
    ["a line beyond systemd's limit", `[S]\na=${"x".repeat(LINE_LIMIT)}\n`, 2, "longer than systemd's"],
  ])("names the line of %s", (_what, text, line, reason) => {
    const error = failure(text);
    expect(error.line).toBe(line);
    expect(error.message).toContain(reason);
  });
  it("names the line of bytes that are not UTF-8", () => {
    expect(failure(Buffer.from([0x5b, 0x53, 0x5d, 0x0a, 0x61, 0x3d, 0xff, 0x0a])).line).toBe(2);
  });
  it("takes the longest line that systemd takes", () => {
    expect(parseUnitFile(`[S]\na=${"x".repeat(LINE_LIMIT - 2)}\n`)).toHaveLength(1);
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
