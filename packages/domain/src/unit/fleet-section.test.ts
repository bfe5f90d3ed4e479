import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { fleetSectionOf, fleetWords, leftOverOf } from "./fleet-section.ts";
import { readRequirements } from "./requirements.ts";

describe("the section of fleet's in a unit file", () => {
  it.each([
    ["none", "[Service]\nExecStart=/bin/a\n", ""],
    ["one among others", "[X-Fleet]\nStay=true\n[Service]\nExecStart=/bin/a\n", "[X-Fleet]\nStay=true\n"],
    ["several", "[X-Fleet]\nStay=true\n[Service]\nA=b\n[X-Fleet]\nWeight=2\n", "[X-Fleet]\nStay=true\nWeight=2\n"],
    [
      "one with options that fleet does not know",
      "[X-Fleet]\nColour=red\nStay=true\n",
      "[X-Fleet]\nColour=red\nStay=true\n",
    ],
    ["one with a value over two lines", "[X-Fleet]\nConflicts=a \\\n b\n", "[X-Fleet]\nConflicts=a \\\n b\n"],
  ])("with %s asks for the same as the whole", (_what, text, expected) => {
    const options = parseUnitFile(text);
    expect(fleetSectionOf(options)).toBe(expected);
    const alone = readRequirements("a@1.service", parseUnitFile(expected));
    expect(alone).toEqual(readRequirements("a@1.service", options));
  });
  it("is not told where it would be read otherwise by itself", () => {
    const swallowing = [
      { section: "X-Fleet", name: "Conflicts", value: "a\\" },
      { section: "X-Fleet", name: "Stay", value: "true" },
    ];
    expect(fleetSectionOf(swallowing)).toBeNull();
  });
});

it.each([
  ["a b", ["a b"], ""],
  ['"a" "b c"', ["a", "b c"], ""],
  ['"a"x"b"', ["a", "b"], "x"],
  ['"a" x "', ["a"], 'x "'],
  ['"', ['"'], ""],
  ['""', [""], ""],
])("%s is the words %j, and %j is left over", (value, words, leftOver) => {
  expect([fleetWords(value), leftOverOf(value)]).toEqual([words, leftOver]);
});

it("quoted words are what a pattern finds, and what it leaves is left over", () => {
  const quoted = /"([^"]*)"/g;
  const inner = fc.array(fc.constantFrom('"', "a", "=", " ", "%"), { maxLength: 12 });
  fc.assert(
    fc.property(inner, (characters) => {
      const value = `"${characters.join("")}"`;
      expect(fleetWords(value)).toEqual(Array.from(value.matchAll(quoted), ([, word]) => word));
      expect(leftOverOf(value)).toBe(value.replace(quoted, " ").trim());
    }),
  );
});
