import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { RetryBook } from "./retry-book.ts";

const clock = fakeClock();
const never = (): boolean => false;

describe("a unit that has failed", () => {
  it("waits longer after each failure, up to twenty seconds", async () => {
    const book = new RetryBook();
    for (const most of [400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000]) {
      const { pauseMs, retryAt } = book.failed("a.service", "launched", "h1", new Error("refused"));
      expect(pauseMs).toBeGreaterThanOrEqual(most / 2);
      expect(pauseMs).toBeLessThanOrEqual(most);
      expect(book.isWaiting("a.service", performance.now())).toBe(true);
      await clock.pass(Math.ceil(retryAt - performance.now()));
      expect(book.isWaiting("a.service", performance.now())).toBe(false);
    }
    expect(book.of("a.service")).toMatchObject({ failures: 8, message: "refused", hash: "h1" });
  });
  it("starts with the shortest pause again once it has worked", () => {
    const book = new RetryBook();
    for (let times = 0; times < 5; times++) book.failed("a.service", "launched", "h1", new Error("refused"));
    book.forget("a.service");
    expect(book.of("a.service")).toBeUndefined();
    expect(book.failed("a.service", "launched", "h1", "refused").pauseMs).toBeLessThanOrEqual(400);
  });
  it("is the next to be tried if its pause ends first, unless it is on hold", () => {
    const book = new RetryBook();
    expect(book.nextRetryAt(never)).toBeNull();
    const late = Array.from({ length: 5 }, () => book.failed("late.service", "gone", "h1", "refused")).at(-1);
    const soon = book.failed("soon.service", "gone", "h1", "refused");
    expect(book.nextRetryAt(never)).toBe(soon.retryAt);
    expect(book.nextRetryAt((name) => name === "soon.service")).toBe(late?.retryAt);
    expect(book.nextRetryAt(() => true)).toBeNull();
  });
});
