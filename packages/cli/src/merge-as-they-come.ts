/** An item that has come, and where the next one is asked for. */
interface Arrived<T> {
  readonly items: AsyncIterator<T>;
  readonly item: T;
}

/**
 * Merges streams as their items come. Of each stream no more is read than one item that is not taken yet: whoever reads
 * slowly slows the streams down, and nothing is kept for him.
 */
export async function* mergeAsTheyCome<T>(streams: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const arrived: Arrived<T>[] = [];
  const failures: unknown[] = [];
  let news = Promise.withResolvers<void>();
  let open = 0;
  const ask = async (items: AsyncIterator<T>): Promise<void> => {
    open++;
    try {
      const { done, value } = await items.next();
      if (done !== true) arrived.push({ items, item: value });
    } catch (error) {
      failures.push(error);
    }
    open--;
    news.resolve();
  };
  const all = streams.map((stream) => stream[Symbol.asyncIterator]());
  try {
    for (const items of all) void ask(items);
    while (open + arrived.length > 0) {
      const next = arrived.shift();
      if (next !== undefined) {
        yield next.item;
        void ask(next.items);
        continue;
      }
      // A failure is thrown when what has come before it is read.
      if (failures.length > 0) break;
      news = Promise.withResolvers();
      await news.promise;
    }
    if (failures.length > 0) throw failures[0];
  } finally {
    // A stream that waits for its next item ends only then: it is not waited for.
    for (const items of all) void items.return?.()?.catch(() => undefined);
  }
}
