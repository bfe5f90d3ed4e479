import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { ReloadDebt } from "./reload-debt.ts";

const folder = temporaryFolder();

describe("a reload that systemd owes", () => {
  it("is noted before it may be needed, until it was done or is known not to be needed", async () => {
    const debt = new ReloadDebt(folder());
    const owed: boolean[] = [];
    const work = (needsReload: boolean) => async (): Promise<boolean> => {
      owed.push(debt.isOwed);
      return needsReload;
    };
    expect(await debt.during(work(false))).toBe(false);
    expect(debt.isOwed).toBe(false);
    expect(await debt.during(work(true))).toBe(true);
    expect(new ReloadDebt(folder()).isOwed).toBe(true);
    // What was owed before stays owed, whatever comes after.
    await debt.during(work(false));
    expect(debt.isOwed).toBe(true);
    debt.settle();
    await expect(debt.during(() => Promise.reject(new Error("killed")))).rejects.toThrow("killed");
    expect(debt.isOwed).toBe(true);
    expect(owed).toEqual([true, true, true]);
  });
});
