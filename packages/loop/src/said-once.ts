/** More different troubles than these at a time are not told apart. */
const MOST = 100;

/** Passes a trouble on when it is new, not each time that something is tried again, also where several take turns. */
export class SaidOnce<E extends Error> {
  readonly #report: (error: E) => void;
  readonly #said = new Set<string>();

  constructor(report: (error: E) => void) {
    this.#report = report;
  }

  /** Whether there is any trouble that is not over. */
  get isTroubled(): boolean {
    return this.#said.size > 0;
  }

  say(error: E): void {
    if (this.#said.has(error.message) || this.#said.size >= MOST) return;
    this.#said.add(error.message);
    this.#report(error);
  }

  /** What was tried has worked: the same trouble is news when it comes again. */
  over(): void {
    this.#said.clear();
  }
}
