/** Keys that were unused at the last look, with the revisions that wrote them. */
export class Suspects {
  #last: ReadonlyMap<string, number> = new Map();

  /** Takes note of what is unused now. Returns what was so the last time, too, and was not written since. */
  unusedAgain(unused: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const again = new Map([...unused].filter(([key, revision]) => this.#last.get(key) === revision));
    this.#last = unused;
    return again;
  }

  /** Nothing can be told at the moment. */
  clear(): void {
    this.#last = new Map();
  }
}
