import type { TimedEntry } from "./entry.ts";

/** One machine's entries, in order, with what has come and is not taken yet. */
interface Source {
  readonly batches: AsyncIterator<readonly TimedEntry[]>;
  batch: readonly TimedEntry[];
  next: number;
}

/** Most entries that are handed on together. */
const MOST_TOGETHER = 256;

/**
 * Entries of several machines in the order of their times; where clocks disagree, each machine's stay in their order. Of
 * each machine no more is read than the next entry takes.
 */
export async function* mergeByTime(
  machines: readonly AsyncIterable<readonly TimedEntry[]>[],
): AsyncGenerator<readonly TimedEntry[], void> {
  const all = machines.map((machine): Source => ({ batches: machine[Symbol.asyncIterator](), batch: [], next: 0 }));
  try {
    let sources = await withEntries(all);
    while (sources.length > 0) {
      const together: TimedEntry[] = [];
      while (together.length < MOST_TOGETHER) {
        const source = earliest(sources);
        const entry = source?.batch[source.next];
        if (source === undefined || entry === undefined) break;
        together.push(entry);
        if (++source.next === source.batch.length) break;
      }
      yield together;
      sources = await withEntries(sources);
    }
  } finally {
    await Promise.all(all.map(({ batches }) => batches.return?.()));
  }
}

/** The sources that have an entry to give; those that have none left are waited for. */
async function withEntries(sources: readonly Source[]): Promise<readonly Source[]> {
  const filled = await Promise.all(
    sources.map(async (source) => {
      while (source.next === source.batch.length) {
        const { done, value } = await source.batches.next();
        if (done === true) return null;
        source.batch = value;
        source.next = 0;
      }
      return source;
    }),
  );
  return filled.filter((source) => source !== null);
}

function earliest(sources: readonly Source[]): Source | undefined {
  let first: Source | undefined;
  let firstUs = Number.POSITIVE_INFINITY;
  for (const source of sources) {
    const atUs = source.batch[source.next]?.atUs ?? Number.POSITIVE_INFINITY;
    if (atUs < firstUs) {
      first = source;
      firstUs = atUs;
    }
  }
  return first;
}
