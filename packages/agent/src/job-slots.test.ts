import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { JobSlots } from "./job-slots.ts";

const clock = fakeClock();

describe("slots of jobs", () => {
  it("never let more jobs be under way than systemd bears, however long they take", async () => {
    const slots = new JobSlots();
    const begun: PromiseWithResolvers<void>[] = [];
    const ends = Array.from({ length: 800 }, () =>
      slots.run(() => {
        const job = Promise.withResolvers<void>();
        begun.push(job);
        return job.promise;
      }),
    );
    for (let seconds = 0; seconds < 60; seconds++) await clock.pass(1_000);
    expect(begun).toHaveLength(384);
    for (let index = 0; index < 800; index++) {
      begun[index]?.resolve();
      await ends[index];
      await clock.pass(0);
      expect(begun.length - index).toBeLessThanOrEqual(385);
    }
  });
  it("bound how many are under way, and one that hangs holds up no other for long", async () => {
    const slots = new JobSlots();
    const begun: PromiseWithResolvers<void>[] = [];
    const work = (): Promise<void> => {
      const job = Promise.withResolvers<void>();
      begun.push(job);
      return job.promise;
    };
    const ends = Array.from({ length: 300 }, () => slots.run(work));
    await clock.pass(0);
    expect(begun).toHaveLength(128);
    begun[0]?.resolve();
    await ends[0];
    await clock.pass(0);
    expect(begun).toHaveLength(129);
    await clock.pass(5_000);
    await clock.pass(5_000);
    expect(begun).toHaveLength(300);
    begun[1]?.reject(new Error("broken"));
    await expect(ends[1]).rejects.toThrow("broken");
  });
});
