import { parseUnitFile } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import { isActiveAtOnce } from "./active-at-once.ts";

it.each([
  ["a.service", "ExecStart=/bin/a", true],
  ["a.service", "Type=notify\nType=\nExecStart=/bin/a", true],
  ["a.service", "Type=exec\nExecStart=/bin/a", true],
  ["a.service", "Type=notify\nExecStart=/bin/a", false],
  ["a.service", "Type=oneshot\nExecStart=/bin/a", false],
  ["a.service", "BusName=a.b\nExecStart=/bin/a", false],
  ["a.service", "ExecStop=/bin/a", false],
  ["a.timer", "ExecStart=/bin/a", false],
])("%s with %j is active as soon as its program is begun: %s", (name, service, expected) => {
  expect(isActiveAtOnce(name, parseUnitFile(`[Service]\n${service}\n`))).toBe(expected);
});
