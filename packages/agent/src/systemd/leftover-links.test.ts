import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { removeLinks } from "./leftover-links.ts";

const folder = temporaryFolder();

describe("links that systemd has left", () => {
  it("are taken away by name, by alias and from what wants the unit; masks and others' links stay", () => {
    const links = join(folder(), "links");
    const wants = join(links, "multi-user.target.wants");
    mkdirSync(wants, { recursive: true });
    const masks: readonly string[] = ["masked.service", "b.service"];
    for (const name of masks) symlinkSync("/dev/null", join(links, name));
    for (const name of ["a.service", "c.service"]) {
      for (const at of [links, wants]) symlinkSync(`/run/fleet/units/${name}`, join(at, name));
      symlinkSync(`/run/fleet/units/${name}`, join(links, `alias-${name}`));
    }
    writeFileSync(join(links, "file.service"), "[Service]\n");
    const names = ["a.service", "masked.service", "file.service", "gone.service"];
    expect(removeLinks(links, names)).toBe(true);
    expect(readdirSync(links).sort()).toEqual(
      [...masks, "alias-c.service", "c.service", "file.service", "multi-user.target.wants"].sort(),
    );
    expect(readdirSync(wants)).toEqual(["c.service"]);
    expect(removeLinks(links, names)).toBe(false);
    expect(removeLinks(join(folder(), "nowhere"), names)).toBe(false);
  });
});
