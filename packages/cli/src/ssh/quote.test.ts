import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { shellWord } from "./quote.ts";

describe("a shell's words", () => {
  it("makes one word of any text", () => {
    for (const text of ["", "a", "a b", "'", "$(id)", "\n", "\\", "*", "é", "-x", "a'b\"c`d"]) {
      expect(execFileSync("sh", ["-c", `printf %s ${shellWord(text)}`], { encoding: "utf8" })).toBe(text);
    }
  });
});
