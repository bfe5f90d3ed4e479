import { expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { isOneshot } from "./settings.ts";

it.each([
  ["a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n", true],
  ["a.service", "[Service]\nType=oneshot\nType=junk\nExecStart=/bin/a\n", true],
  ["a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\nRemainAfterExit=yes\n", false],
  ["a.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nRemainAfterExit=off\nExecStart=/bin/a\n", true],
  ["a.service", "[Service]\nExecStart=/bin/a\n", false],
  ["a.service", "[Service]\nType=oneshot\nType=exec\nExecStart=/bin/a\n", false],
  ["a.service", "[Unit]\nSuccessAction=none\n", true],
  ["a.timer", "[Service]\nType=oneshot\n", false],
])("%s with %j is a oneshot that ends: %s", (name, text, isOne) => {
  expect(isOneshot(name, parseUnitFile(text))).toBe(isOne);
});
