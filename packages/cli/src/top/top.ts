import type { UsageSample } from "@fleet/client";
import { keysOf } from "./keys.ts";
import { render } from "./render.ts";
import type { Screen } from "./screen.ts";
import type { UsageBook } from "./usage.ts";
import { press, rowsOf, type View } from "./view.ts";

/** Samples that arrive within such a time are drawn together. */
const TOGETHER_MS = 100;

/** What is shown, and where. */
export interface Live {
  readonly samples: AsyncIterable<UsageSample>;
  readonly screen: Screen;
  readonly book: UsageBook;
  /** How it is looked at first. */
  readonly view: View;
  readonly hasColors: boolean;
}

/**
 * Shows samples on a screen as they come, until the user quits, or there are no more.
 *
 * @param stop ends the samples
 */
export async function showLive(
  { samples, screen, book, view: first, hasColors }: Live,
  stop: () => void,
): Promise<void> {
  let view = first;
  let timer: NodeJS.Timeout | null = null;
  const draw = (): void => {
    timer = null;
    screen.draw(render(rowsOf(book.usage(), view), view, { ...screen.size(), hasColors }));
  };
  const typed = (text: string): void => {
    for (const key of keysOf(text)) {
      const next = press(view, key, rowsOf(book.usage(), view));
      if (next === "quit") return stop();
      view = next;
    }
    draw();
  };
  const ignore = screen.listen(typed, draw);
  try {
    draw();
    for await (const sample of samples) {
      book.add(sample);
      timer ??= setTimeout(draw, TOGETHER_MS);
    }
  } finally {
    if (timer !== null) clearTimeout(timer);
    ignore();
  }
}
