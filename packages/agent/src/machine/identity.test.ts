import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { readInstanceID, readMachineID } from "./identity.ts";

const folder = temporaryFolder();

describe("the machine", () => {
  it("is known by its ID, or says what is wrong with the file", () => {
    const file = join(folder(), "machine-id");
    expect(() => readMachineID(file)).toThrow(/machine-id can't be read/);
    writeFileSync(file, "uninitialized\n");
    expect(() => readMachineID(file)).toThrow(/does not hold a machine ID/);
    writeFileSync(file, `${"0a".repeat(16)}\n`);
    expect(readMachineID(file)).toBe("0a".repeat(16));
  });
  it("knows itself again after a restart of the agent, and not after a reboot", () => {
    const boot = join(folder(), "boot");
    writeFileSync(boot, "one\n");
    const first = readInstanceID(join(folder(), "run"), boot);
    expect(readInstanceID(join(folder(), "run"), boot)).toBe(first);
    writeFileSync(boot, "two\n");
    expect(readInstanceID(join(folder(), "run"), boot)).not.toBe(first);
  });
});
