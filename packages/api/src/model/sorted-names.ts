/** A sorted list of names without duplicates. */
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

  /** Adds and deletes many names in one pass over all names. */
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

/** With more changes than these, one pass over all names is cheaper than a search for each. */
const MANY = 64;

/** Names to add to a sorted list and to delete from it. The last change of a name counts. */
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
