/** Names of units to look at, each once: by name within what was added together, so that the same changes give the same order. */
export class WorkQueue {
  readonly #added = new Set<string>();
  /** What had been added when the last batch was begun, sorted, taken up to `#at`. */
  #batch: readonly string[] = [];
  #at = 0;

  /** How many there are to look at. */
  get size(): number {
    return this.#added.size + Math.max(0, this.#batch.length - this.#at);
  }

  add(name: string): void {
    this.#added.add(name);
  }

  /** A unit that is gone is not looked at; one in a batch that was begun its taker skips. */
  delete(name: string): void {
    this.#added.delete(name);
  }

  /** Takes the next; null: there is none. */
  take(): string | null {
    if (this.#at >= this.#batch.length) {
      this.#batch = [...this.#added].sort();
      this.#at = 0;
      this.#added.clear();
    }
    return this.#batch[this.#at++] ?? null;
  }
}
