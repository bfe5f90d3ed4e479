import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, it } from "vitest";
import { ConfigError, loadConfig, OPTIONS } from "./index.ts";

const CORPUS = JSON.parse(
  readFileSync(new URL("../../../fuzz/corpus/configurations.json", import.meta.url), "utf8"),
) as readonly string[];

/** Reads a configuration; only the one error that says what is wrong may come of it. */
function load(text: string, env: Readonly<Record<string, string>> = {}): void {
  try {
    loadConfig({
      file: { path: "fleet.conf", text },
      env,
      readFile: () => {
        throw new Error("there is no such file");
      },
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
  }
}

describe("whatever a configuration holds, it is read or refused with a sentence", () => {
  it("those that were found once", () => {
    for (const text of CORPUS) load(text);
  });
  it("any text, any value of any option", () => {
    const line = fc.tuple(fc.constantFrom(...OPTIONS.map(({ name }) => name)), fc.string());
    const file = fc.array(line).map((lines) => lines.map(([name, value]) => `${name}=${value}`).join("\n"));
    fc.assert(
      fc.property(fc.oneof(file, fc.string(), fc.constantFrom(...CORPUS)), (text) => load(text)),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(line, ([name, value]) => load("", { [`FLEET_${name.toUpperCase()}`]: value })),
      { numRuns: 2_000 },
    );
  });
});
