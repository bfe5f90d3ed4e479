import { afterEach, describe, expect, it, vi } from "vitest";
import { LoopDelay } from "./loop-delay.ts";

describe("the delay of the event loop", () => {
  afterEach(() => void vi.useRealTimers());

  it("is what the process was held up for", async () => {
    const delay = new LoopDelay();
    const holdUp = (): number => {
      const endsAt = performance.now() + 100;
      while (performance.now() < endsAt);
      return delay.seconds(1);
    };
    // Measuring begins with the timer's first turn: the first delay may come before that.
    await expect.poll(holdUp, { interval: 30 }).toBeGreaterThan(0.05);
  });
  it("leaves out the time that the measuring timer waits itself", () => {
    const delay = new LoopDelay({
      histogram: { max: 50e6, percentile: (percentile) => percentile * 1e6, enable() {}, disable() {} },
      cpuMs: () => 0,
    });
    expect(delay.seconds(1)).toBeCloseTo(0.03);
    expect(delay.seconds(0.99)).toBeCloseTo(0.079);
    expect(delay.seconds(0.1)).toBe(0);
  });
  it("is measured while the process works, and for five seconds after that", async () => {
    vi.useFakeTimers();
    let cpu = 0;
    let isOn = false;
    const histogram = {
      max: 0,
      percentile: () => 0,
      enable: () => {
        isOn = true;
      },
      disable: () => {
        isOn = false;
      },
    };
    new LoopDelay({ histogram, cpuMs: () => cpu });
    const pass = (seconds: number, cpuEachSecond: number): void => {
      for (let second = 0; second < seconds; second++) {
        cpu += cpuEachSecond;
        vi.advanceTimersByTime(1_000);
      }
    };
    expect(isOn).toBe(true);
    pass(4, 1);
    expect(isOn).toBe(true);
    pass(1, 1);
    expect(isOn).toBe(false);
    pass(10, 1);
    expect(isOn).toBe(false);
    pass(1, 100);
    expect(isOn).toBe(true);
    pass(4, 1);
    pass(1, 100);
    pass(4, 1);
    expect(isOn).toBe(true);
  });
});
