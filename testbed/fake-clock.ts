import { afterEach, beforeEach, vi } from "vitest";

/** A clock that stands still until it is told to go on. */
export interface FakeClock {
  /** Lets so many milliseconds pass, with all that was due in them. */
  pass(milliseconds: number): Promise<void>;
}

/**
 * To be called once at the top of a file of tests: timers, `performance.now()` and `node:timers/promises` are the
 * clock's in each test. What is due at once (setImmediate too) needs `pass(0)`.
 */
export function fakeClock(): FakeClock {
  beforeEach(() => {
    vi.useFakeTimers({ fakeNodeBuiltins: true });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  return {
    pass: async (milliseconds) => {
      await vi.advanceTimersByTimeAsync(milliseconds);
    },
  };
}
