import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { UnitLinks } from "./unit-links.ts";

const folder = temporaryFolder();
/** Where fleet's unit files are, in systemd's words. */
const UNITS = "/run/fleet/units";

function made(): { links: string; wants: string; units: UnitLinks } {
  const links = join(folder(), "run/systemd/system");
  const wants = join(links, "multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  return { links, wants, units: new UnitLinks(links, folder() + UNITS, folder()) };
}

describe("links to fleet's unit files", () => {
  it("are removed by name, by alias and from what wants the unit; masks and others' links stay", () => {
    const { links, wants, units } = made();
    const masks: readonly string[] = ["masked.service", "b.service"];
    for (const name of masks) symlinkSync("/dev/null", join(links, name));
    for (const name of ["a.service", "c.service"]) {
      for (const at of [links, wants]) symlinkSync(`${UNITS}/${name}`, join(at, name));
      symlinkSync(`${UNITS}/${name}`, join(links, `alias-${name}`));
    }
    symlinkSync("/usr/lib/systemd/system/foreign.service", join(wants, "foreign.service"));
    writeFileSync(join(links, "file.service"), "[Service]\n");
    const names = ["a.service", "masked.service", "file.service", "foreign.service", "gone.service"];
    expect(units.remove(names)).toEqual({ wasEnabled: true, left: new Map() });
    expect(readdirSync(links).sort()).toEqual(
      [...masks, "alias-c.service", "c.service", "file.service", "multi-user.target.wants"].sort(),
    );
    expect(readdirSync(wants).sort()).toEqual(["c.service", "foreign.service"]);
    expect(units.remove(names)).toEqual({ wasEnabled: false, left: new Map() });
    expect(new UnitLinks(join(folder(), "nowhere"), folder() + UNITS, folder()).remove(names).left.size).toBe(0);
  });
  it("are taken for fleet's own where an agent in a container has the file and does not see the links", () => {
    const files = join(folder(), "units");
    mkdirSync(files, { recursive: true });
    writeFileSync(join(files, "a.service"), "[Service]\n");
    const units = new UnitLinks("/run/systemd/system-that-is-not-here", files);
    expect(units.isOwn("a.service", "/run/systemd/system-that-is-not-here/a.service")).toBe(true);
    expect(units.isOwn("b.service", "/run/systemd/system-that-is-not-here/b.service")).toBe(false);
    expect(units.isOwn("a.service", "/etc/systemd/system/a.service")).toBe(false);
  });
  it("are not those of another folder whose path ends alike", () => {
    const { units } = made();
    for (const other of ["/units", "/fleet/units", "/srv/run/fleet/units", "/systemd/system", "/"])
      expect(units.isOwn("a.service", join(other, "a.service"))).toBe(false);
  });
  it("are known by any path to their folder", () => {
    const files = join(folder(), "real");
    mkdirSync(files);
    symlinkSync(files, join(folder(), "link"));
    const units = new UnitLinks("/run/systemd/system", join(folder(), "link"));
    for (const seen of ["link", "real"]) expect(units.isOwn("a.service", join(folder(), seen, "a.service"))).toBe(true);
  });
  it.each(["../../../opt/a.service", "a.service", "../../fleet/units/../other/a.service"])(
    "are not taken for what a relative link of somebody else's is: %s",
    (target) => {
      const { links, units } = made();
      symlinkSync(target, join(links, "a.service"));
      expect(units.has("a.service")).toBe(false);
      expect(units.isOwn("a.service", "/run/systemd/system/a.service")).toBe(false);
      expect(units.remove(["a.service"])).toEqual({ wasEnabled: false, left: new Map() });
    },
  );
  it("are removed where systemd wrote them relative", () => {
    const { links, wants, units } = made();
    symlinkSync(`${UNITS}/a.service`, join(links, "a.service"));
    symlinkSync("../a.service", join(wants, "a.service"));
    expect(units.remove(["a.service"]).wasEnabled).toBe(true);
    expect(readdirSync(wants)).toEqual([]);
  });
  it("are told from others' by where they lead", () => {
    const { links, units } = made();
    symlinkSync(`${UNITS}/a.service`, join(links, "a.service"));
    symlinkSync(`${UNITS}/a.service`, join(links, "alias.service"));
    writeFileSync(join(links, "file.service"), "");
    expect(units.isOwn("a.service", `${UNITS}/a.service`)).toBe(true);
    expect(units.isOwn("a.service", "/run/systemd/system/a.service")).toBe(true);
    expect(units.isOwn("alias.service", "/run/systemd/system/alias.service")).toBe(false);
    expect(units.isOwn("file.service", "/run/systemd/system/file.service")).toBe(false);
    expect(units.isOwn("a.service", "/etc/systemd/system/a.service")).toBe(false);
  });
  it("give way to a unit of their name where they are another's alias or lead nowhere, and only there", () => {
    const { links, units } = made();
    const names = ["alias.service", "dangling.service", "mine.service", "mask.service", "foreign.service"];
    const targets = [`${UNITS}/a.service`, "/nowhere/d.service", `${UNITS}/mine.service`, "/dev/null", "/bin/sh"];
    for (const [index, name] of names.entries()) symlinkSync(targets[index] ?? "", join(links, name));
    for (const name of [...names, "gone.service"]) units.makeRoom(name);
    expect(readdirSync(links).sort()).toEqual(
      ["foreign.service", "mask.service", "mine.service", "multi-user.target.wants"].sort(),
    );
  });
});
