import type { JournalEntry } from "@fleet/client";

/** Merges streams that are each in the order of time into one that is, one entry at a time from each. */
export async function* mergeByTime(streams: readonly AsyncIterable<JournalEntry>[]): AsyncGenerator<JournalEntry> {
  const heads = await Promise.all(
    streams.map(async (stream) => {
      const rest = stream[Symbol.asyncIterator]();
      return { rest, next: await rest.next() };
    }),
  );
  for (;;) {
    let first: (typeof heads)[number] | null = null;
    for (const head of heads) {
      if (head.next.done === true) continue;
      if (first === null || head.next.value.timestamp < first.next.value.timestamp) first = head;
    }
    if (first === null || first.next.done === true) return;
    yield first.next.value;
    first.next = await first.rest.next();
  }
}

/** Merges streams as their items come. */
export async function* mergeAsTheyCome<T>(streams: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const ready: T[] = [];
  let open = streams.length;
  let wake = (): void => undefined;
  const pump = async (stream: AsyncIterable<T>): Promise<void> => {
    for await (const item of stream) {
      ready.push(item);
      wake();
    }
  };
  const pumps = streams.map((stream) =>
    pump(stream).finally(() => {
      open--;
      wake();
    }),
  );
  const done = Promise.all(pumps);
  // A failure is thrown when what has come before it is read.
  done.catch(() => undefined);
  while (open > 0 || ready.length > 0) {
    yield* ready.splice(0);
    if (ready.length > 0 || open === 0) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  await done;
}
