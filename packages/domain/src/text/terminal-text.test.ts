import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { terminalLine, terminalText } from "./terminal-text.ts";

describe("text for a terminal", () => {
  it.each([
    ["a colour", "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
    ["a title", "\x1b]0;owned\x07", "\\x1b]0;owned\\x07"],
    ["an escape of one byte", "\x9b31m", "\\x9b31m"],
    ["a second line", "ok\nError: all is lost", "ok\\nError: all is lost"],
    ["a line that is written over", "bad\rgood", "bad\\rgood"],
    ["a backspace and a DEL", "a\b\x7f", "a\\x08\\x7f"],
    ["a NUL byte", "a\0b", "a\\x00b"],
    ["text that is turned around", "a\u202egpj.exe", "a\\u202egpj.exe"],
    ["other line ends", "a\u2028b\u0085c", "a\\u2028b\\x85c"],
    ["half a character", "a\ud800b", "a\\ud800b"],
    ["a byte order mark", "\ufeffa", "\\ufeffa"],
  ])("has no %s", (_what, text, safe) => expect(terminalLine(text)).toBe(safe));
  it.each(["", "web@1.service", "a b", "é ü 漢字 🙂", "\\n", "C:\\x1b"])("stays %j", (text) => {
    expect([terminalLine(text), terminalText(text)]).toEqual([text, text]);
  });
  it("of several lines keeps line ends and tabs, and nothing else", () => {
    expect(terminalText("a\n\tb\r\n\x1b[2Jc\u2028")).toBe("a\n\tb\\r\n\\x1b[2Jc\\u2028");
  });
  it("has nothing that a terminal acts on, whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(terminalLine(text)).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}\p{Cs}]*$/u);
        expect(terminalLine(terminalText(text))).toBe(terminalLine(text));
      }),
      { numRuns: 2_000 },
    );
  });
});
