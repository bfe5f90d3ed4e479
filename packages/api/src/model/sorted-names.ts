/** Names in order, kept so while they come and go. */
export class SortedNames {
  readonly #names: string[] = [];

  get size(): number {
    return this.#names.length;
  }

  add(name: string): void {
    const at = this.#position(name);
    if (this.#names[at] !== name) this.#names.splice(at, 0, name);
  }

  delete(name: string): void {
    const at = this.#position(name);
    if (this.#names[at] === name) this.#names.splice(at, 1);
  }

  slice(start: number, end: number): readonly string[] {
    return this.#names.slice(start, end);
  }

  /** Replaces all names at once: cheaper than adding them one by one. */
  reset(names: Iterable<string>): void {
    this.#names.length = 0;
    for (const name of names) this.#names.push(name);
    this.#names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #position(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] ?? "") < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
