import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { News } from "./news.ts";

afterEach(() => void vi.useRealTimers());

describe("a wait for news", () => {
  it("ends at the news, and leaves neither a timer nor a listener", async () => {
    vi.useFakeTimers();
    const news = new News();
    const over = new AbortController();
    for (let count = 0; count < 3; count++) {
      const waits = [news.next(over.signal, 10_000), news.next(over.signal, null)];
      news.tell();
      await Promise.all(waits);
    }
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(over.signal, "abort")).toEqual([]);
    expect(news.waiting).toBe(0);
  });

  it("ends after its time, and when nobody wants to wait any more", async () => {
    vi.useFakeTimers();
    const news = new News();
    const over = new AbortController();
    const timed = news.next(over.signal, 10);
    const aborted = news.next(over.signal, null);
    vi.advanceTimersByTime(10);
    await timed;
    over.abort();
    await aborted;
    await news.next(over.signal, null);
    expect(news.waiting).toBe(0);
  });

  it("is about what is told later, not about what was told before", async () => {
    const news = new News();
    news.tell();
    let isOver = false;
    const wait = news.next(new AbortController().signal, null).then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect(isOver).toBe(false);
    news.tell();
    await wait;
  });
});
