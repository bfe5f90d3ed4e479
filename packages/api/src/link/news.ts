/** Has waiters go on when something has happened. While nobody waits, and once a wait is over, nothing of it is left. */
export class News {
  readonly #waiting = new Set<() => void>();

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  tell(): void {
    for (const goOn of [...this.#waiting]) goOn();
  }

  /** Fulfilled at the next news, when the signal aborts, or after so many milliseconds; null: without a limit. */
  next(signal: AbortSignal, milliseconds: number | null): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const goOn = (): void => {
      if (timer !== null) clearTimeout(timer);
      signal.removeEventListener("abort", goOn);
      this.#waiting.delete(goOn);
      resolve();
    };
    const timer = milliseconds === null ? null : setTimeout(() => goOn(), milliseconds).unref();
    signal.addEventListener("abort", goOn, { once: true });
    this.#waiting.add(goOn);
    return promise;
  }
}
