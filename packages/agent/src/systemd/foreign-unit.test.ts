import { expect, it } from "vitest";
import { foreignPathOf } from "./foreign-unit.ts";

const OWN = "/run/fleet/units/a";
const FOREIGN = "/etc/systemd/system/a";

it.each<
  [what: string, name: string, unit: { path?: string; perpetual?: boolean; masked?: boolean }, path: string | null]
>([
  ["one without a file is not another's", "a.service", {}, null],
  ["one with a file of fleet's is fleet's", "a.service", { path: OWN }, null],
  ["one with another file is another's", "a.service", { path: FOREIGN }, FOREIGN],
  ["one that was masked by hand stays fleet's", "a.service", { path: "/dev/null", masked: true }, null],
  ["a slice of systemd's own is not fleet's, whatever its file", "a.slice", { path: OWN, perpetual: true }, OWN],
  ["a slice of fleet's is fleet's", "a.slice", { path: OWN }, null],
])("of units %s", async (_what, name, { path = null, perpetual = false, masked = false }, expected) => {
  const manager = {
    fragmentPath: async () => path,
    isPerpetual: async () => perpetual,
    isMasked: async () => masked,
  };
  expect(await foreignPathOf(manager, { isOwn: (_name, of) => of === OWN }, name)).toBe(expected);
});
