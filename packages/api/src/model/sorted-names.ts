/** Names in order, kept so while they come and go. */
export class SortedNames {
  #names: string[] = [];

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

  at(index: number): string | undefined {
    return this.#names[index];
  }

  slice(start: number, end: number): readonly string[] {
    return this.#names.slice(start, end);
  }

  /** Adds and takes away many names at once: cheaper than one by one, for all are gone through only once. */
  change(added: ReadonlySet<string>, deleted: ReadonlySet<string>): void {
    const news = [...added].sort(compare);
    const merged: string[] = [];
    let next = 0;
    for (const name of this.#names) {
      for (let one = news[next]; one !== undefined && one <= name; one = news[++next]) {
        if (one !== name) merged.push(one);
      }
      if (!deleted.has(name)) merged.push(name);
    }
    for (; next < news.length; next++) merged.push(news[next] ?? "");
    this.#names = merged;
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

/** From so many changes on, going through all names once is cheaper than finding the place of each. */
const MANY = 64;

/** Names that come and go, gathered so that many are taken in at once; the last word about a name holds. */
export class NameDelta {
  readonly #added = new Set<string>();
  readonly #deleted = new Set<string>();

  record(name: string, isPresent: boolean): void {
    (isPresent ? this.#added : this.#deleted).add(name);
    (isPresent ? this.#deleted : this.#added).delete(name);
  }

  applyTo(names: SortedNames): void {
    if (this.#added.size + this.#deleted.size > MANY) {
      names.change(this.#added, this.#deleted);
      return;
    }
    for (const name of this.#added) names.add(name);
    for (const name of this.#deleted) names.delete(name);
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
