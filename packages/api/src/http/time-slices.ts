/** Milliseconds that one slice takes. */
const SLICE_MS = 10;

/** Runs work that yields often, in slices. Between two slices the event loop serves other requests. */
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
