import { expect, it } from "vitest";
import { Prefixes } from "./prefixes.ts";

const on = (unit: string, machine = "m1") => ({ unit, machineID: machine, hostname: `${machine}.example.org` });

it("a prefix is the unit, as wide as the widest that is known", () => {
  const prefixes = new Prefixes(["a.service", "longer.service"], new Set(), false);
  expect(prefixes.of(on("a.service"))).toBe("a.service      | ");
  expect(prefixes.of(on("longest-yet.service"))).toBe("longest-yet.service | ");
  expect(prefixes.of(on("a.service"))).toBe("a.service           | ");
});
it("a prefix has the machine where the unit's lines come from several", () => {
  const prefixes = new Prefixes(["g.service", "a.service"], new Set(["g.service"]), false);
  expect(prefixes.of(on("g.service"))).toBe("g.service m1 | ");
  expect(prefixes.of(on("a.service"))).toBe("a.service    | ");
  expect(prefixes.of(on("a.service", "m2"))).toBe("a.service m2 | ");
  expect(prefixes.of(on("a.service", "m1"))).toBe("a.service m1 | ");
});
it("a prefix keeps the colour that its unit has on its machine", () => {
  const prefixes = new Prefixes([], new Set(), true);
  const [a, b, again, moved] = [on("a"), on("b"), on("a"), on("a", "m2")].map((entry) => prefixes.of(entry));
  expect([a, b, again, moved].map((prefix) => /^\x1b\[(\d+)m/.exec(prefix ?? "")?.[1])).toEqual([
    "36",
    "32",
    "36",
    "35",
  ]);
});
it("a prefix holds nothing that a terminal acts on", () => {
  expect(new Prefixes([], new Set(), false).of({ unit: "a\x1b[2J", machineID: "m" })).toBe("a\\x1b[2J | ");
});
