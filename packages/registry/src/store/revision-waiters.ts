/** Those who wait until what they have written is in a mirror. */
export class RevisionWaiters {
  readonly #waiters = new Set<{ readonly range: number; readonly revision: number; done: (seen: boolean) => void }>();

  /** @returns false where the range has not come to the revision within the time given, or `end` was called */
  wait(range: number, revision: number, timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const done = (seen: boolean): void => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
      resolve(seen);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    const waiter = { range, revision, done };
    this.#waiters.add(waiter);
    return promise;
  }

  /** @param revisions how far each range has come */
  reached(revisions: readonly number[]): void {
    for (const waiter of this.#waiters) if ((revisions[waiter.range] ?? 0) >= waiter.revision) waiter.done(true);
  }

  /** Nothing comes any more. */
  end(): void {
    for (const waiter of this.#waiters) waiter.done(false);
  }
}
