/** Passes a trouble on when it begins or changes, not each time that something is tried again. */
export class SaidOnce<E extends Error> {
  readonly #report: (error: E) => void;
  #said: string | null = null;

  constructor(report: (error: E) => void) {
    this.#report = report;
  }

  say(error: E): void {
    if (error.message === this.#said) return;
    this.#said = error.message;
    this.#report(error);
  }

  /** What was tried has worked: the same trouble is news when it comes again. */
  over(): void {
    this.#said = null;
  }
}
