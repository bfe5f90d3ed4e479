import { stripVTControlCharacters } from "node:util";
import type { UsageSample } from "@fleet/client";
import { describe, expect, it, vi } from "vitest";
import { unitSample, usageSample } from "../testing/usage-samples.ts";
import type { Screen } from "./screen.ts";
import { showLive } from "./top.ts";
import { UsageBook } from "./usage.ts";
import { FIRST_VIEW } from "./view.ts";

/** A screen that keeps what it shows, and whose keys a test presses. */
function fakeScreen() {
  let shown: readonly string[] = [];
  let type: (text: string) => void = () => undefined;
  let isListening = false;
  const screen: Screen = {
    size: () => ({ columns: 80, rows: 12 }),
    draw: (lines) => {
      shown = lines.map(stripVTControlCharacters);
    },
    listen: (onInput) => {
      type = onInput;
      isListening = true;
      return () => {
        isListening = false;
      };
    },
    close: () => undefined,
  };
  return { screen, shown: () => shown.join("\n"), type: (text: string) => type(text), isListening: () => isListening };
}

/** Samples that a test gives one by one, until they are stopped. */
function samplesOf() {
  const waiting: UsageSample[] = [];
  let wake = (): void => undefined;
  let isOver = false;
  async function* samples(): AsyncGenerator<UsageSample> {
    while (!isOver) {
      yield* waiting.splice(0);
      if (!isOver && waiting.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return {
    samples: samples(),
    give: (sample: UsageSample): void => {
      waiting.push(sample);
      wake();
    },
    stop: (): void => {
      isOver = true;
      wake();
    },
  };
}

describe("the live view", () => {
  it("shows what comes, follows keys, and ends with q", async () => {
    const { screen, shown, type, isListening } = fakeScreen();
    const { samples, give, stop } = samplesOf();
    const live = showLive({ samples, screen, book: new UsageBook(), view: FIRST_VIEW, hasColors: true }, stop);
    expect(shown()).toContain("fleet: 0 machines | 0 units | sorted by cpu");
    give(usageSample({ units: [unitSample("a.service"), unitSample("b.service", { memoryBytes: 7 * 1024 ** 3 })] }));
    await vi.waitFor(() => expect(shown()).toMatch(/a\.service[\s\S]*b\.service/));
    type("m");
    expect(shown()).toMatch(/sorted by memory[\s\S]*b\.service[\s\S]*a\.service/);
    type("/a.s\r");
    expect(shown()).not.toContain("b.service");
    expect(shown()).toContain("filter: a.s");
    type("q");
    await live;
    expect(isListening()).toBe(false);
  });
});
