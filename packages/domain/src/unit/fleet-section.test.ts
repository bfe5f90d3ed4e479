import { describe, expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { fleetSectionOf } from "./fleet-section.ts";
import { readRequirements } from "./requirements.ts";

describe("the section of fleet's in a unit file", () => {
  it.each([
    ["none", "[Service]\nExecStart=/bin/a\n", ""],
    ["one among others", "[X-Fleet]\nStay=true\n[Service]\nExecStart=/bin/a\n", "[X-Fleet]\nStay=true\n"],
    ["several", "[X-Fleet]\nStay=true\n[Service]\nA=b\n[X-Fleet]\nWeight=2\n", "[X-Fleet]\nStay=true\nWeight=2\n"],
    ["one with options that fleet does not know", "[X-Fleet]\nColour=red\nStay=true\n", "[X-Fleet]\nStay=true\n"],
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
