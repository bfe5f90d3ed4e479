import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { PendingReload } from "./pending-reload.ts";
import { SystemdError } from "./systemd.ts";

const clock = fakeClock();
const folder = temporaryFolder();

/** A pending reload, of a systemd that refuses as long as it is told to. */
function pendingReload(): { pending: PendingReload; systemd: { reloads: number; refuses: boolean; isLost: boolean } } {
  const systemd = { reloads: 0, refuses: false, isLost: false };
  const reload = async (): Promise<void> => {
    systemd.reloads++;
    if (systemd.refuses) throw new SystemdError("no space left on /run");
  };
  const pending = new PendingReload({ unitsFolder: folder(), reload, isLost: () => systemd.isLost });
  return { pending, systemd };
}
const isNoted = (): boolean => existsSync(join(folder(), ".needs-reload"));

describe("a reload that systemd owes", () => {
  it("is noted before it may be needed, until it was done or is known not to be needed", async () => {
    const { pending } = pendingReload();
    const noted: boolean[] = [];
    const work = (isNeeded: boolean) => async (): Promise<boolean> => {
      noted.push(pending.isNoted);
      return isNeeded;
    };
    expect(await pending.during(work(false))).toBe(false);
    expect(pending.isNoted).toBe(false);
    expect(await pending.during(work(true))).toBe(true);
    expect(pendingReload().pending.isNoted).toBe(true);
    // What was owed before stays owed, whatever comes after.
    await pending.during(work(false));
    expect(pending.isNoted).toBe(true);
    await pending.reload();
    expect(pending.isNoted).toBe(false);
    await expect(pending.during(() => Promise.reject(new Error("killed")))).rejects.toThrow("killed");
    expect(pending.isNoted).toBe(true);
    expect(noted).toEqual([true, true, true]);
  });
  it("is asked for again until systemd does it, and nobody waits for that", async () => {
    const { pending, systemd } = pendingReload();
    systemd.refuses = true;
    await pending.during(async () => true);
    await pending.reloadInTime();
    await clock.pass(15_000);
    expect([systemd.reloads, isNoted()]).toEqual([4, true]);
    systemd.refuses = false;
    await clock.pass(60_000);
    expect([systemd.reloads, isNoted()]).toEqual([5, false]);
  });
  it("fails where it was asked for at once and is refused, and stays noted", async () => {
    const { pending, systemd } = pendingReload();
    systemd.refuses = true;
    await pending.during(async () => true);
    await expect(pending.reload()).rejects.toThrow("no space left");
    expect(isNoted()).toBe(true);
  });
  it.each(["lost", "closed"])("is left to the next connection once this one is %s", async (how) => {
    const { pending, systemd } = pendingReload();
    systemd.refuses = true;
    await pending.during(async () => true);
    if (how === "lost") {
      systemd.isLost = true;
      await expect(pending.reloadInTime()).rejects.toThrow("no space left");
    } else {
      await pending.reloadInTime();
      pending.close();
    }
    await clock.pass(60_000);
    expect([systemd.reloads, isNoted()]).toEqual([1, true]);
  });
});
