import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { UnitDirectory } from "./unit-directory.ts";

const folder = temporaryFolder();
const TEXT = "[Service]\nExecStart=/bin/a\n";

describe("the folder of unit files", () => {
  it("clears away what an earlier boot left where the folder outlives it", async () => {
    const boot = join(folder(), "boot");
    writeFileSync(boot, "one\n");
    const before = new UnitDirectory(join(folder(), "units"), boot);
    before.read();
    before.write("a.service", TEXT);
    before.markLaunched("a.service", "started");
    expect(before.read()).toMatchObject([{ name: "a.service", isLaunched: true }]);
    writeFileSync(boot, "two\n");
    expect(new UnitDirectory(join(folder(), "units"), boot).read()).toEqual([]);
  });
  it("leaves nothing of a file that could not be written", async () => {
    const directory = new UnitDirectory(join(folder(), "units"));
    directory.read();
    mkdirSync(directory.file("a.service")); // which no file can take the place of
    expect(() => directory.write("a.service", TEXT)).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(join(folder(), "units")).filter((file) => !file.startsWith("."))).toEqual(["a.service"]);
  });
  it("has no place for a name that is no unit's, wherever it comes from", () => {
    const units = new UnitDirectory(join(folder(), "units"));
    for (const name of ["../a.service", "a/../../b.service", "/etc/a.service", ".launched", "a\u0000.service"]) {
      expect(() => units.file(name)).toThrow("is no unit name");
      expect(() => units.write(name, "[Service]\n")).toThrow("is no unit name");
      expect(() => units.markLaunched(name, "started")).toThrow("is no unit name");
      expect(() => units.markStopsOnPartition(name, true)).toThrow("is no unit name");
      expect(() => units.remove(name)).toThrow("is no unit name");
    }
  });
});
