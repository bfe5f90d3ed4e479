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
    await before.read();
    before.write("a.service", TEXT);
    before.markLaunched("a.service", true);
    expect(await before.read()).toMatchObject([{ name: "a.service", isLaunched: true }]);
    writeFileSync(boot, "two\n");
    expect(await new UnitDirectory(join(folder(), "units"), boot).read()).toEqual([]);
  });
  it("leaves nothing of a file that could not be written", async () => {
    const directory = new UnitDirectory(join(folder(), "units"));
    await directory.read();
    mkdirSync(directory.file("a.service")); // which no file can take the place of
    expect(() => directory.write("a.service", TEXT)).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(join(folder(), "units")).filter((file) => !file.startsWith("."))).toEqual(["a.service"]);
  });
});
