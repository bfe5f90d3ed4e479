/** Milliseconds that a slice of work may take. */
const SLICE_MS = 10;

/** Runs work that yields, in slices between which the event loop serves other requests. */
export async function inTimeSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const endsAt = performance.now() + SLICE_MS;
    while (performance.now() < endsAt) {
      const { done, value } = work.next();
      if (done === true) return value;
    }
    await new Promise(setImmediate);
  }
}
