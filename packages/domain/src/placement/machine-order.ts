/**
 * Machines in the order in which they are tried: the least loaded first, ties by ID. Changing one's load costs little
 * however many machines there are.
 */
export class MachineOrder {
  readonly #loads = new Map<string, number>();
  readonly #buckets = new Map<number, string[]>();
  #sortedLoads: number[] = [];

  get size(): number {
    return this.#loads.size;
  }

  load(id: string): number | undefined {
    return this.#loads.get(id);
  }

  set(id: string, load: number): void {
    const before = this.#loads.get(id);
    if (before === load) return;
    if (before !== undefined) this.#take(id, before);
    this.#loads.set(id, load);
    let bucket = this.#buckets.get(load);
    if (bucket === undefined) {
      bucket = [];
      this.#buckets.set(load, bucket);
      this.#sortedLoads.splice(position(this.#sortedLoads, load), 0, load);
    }
    bucket.splice(position(bucket, id), 0, id);
  }

  delete(id: string): void {
    const load = this.#loads.get(id);
    if (load === undefined) return;
    this.#take(id, load);
    this.#loads.delete(id);
  }

  /** All machines, least loaded first. Not to be changed while it is walked. */
  *[Symbol.iterator](): Iterator<string> {
    for (const load of this.#sortedLoads) yield* this.#buckets.get(load) ?? [];
  }

  /** The first machine that passes a test, least loaded first. */
  find(test: (id: string) => boolean): string | undefined {
    for (const load of this.#sortedLoads) {
      const found = this.#buckets.get(load)?.find(test);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The given machines in that same order. */
  sorted(ids: Iterable<string>): string[] {
    const known = [...ids].filter((id) => this.#loads.has(id));
    return known.sort((a, b) => (this.#loads.get(a) ?? 0) - (this.#loads.get(b) ?? 0) || (a < b ? -1 : 1));
  }

  #take(id: string, load: number): void {
    const bucket = this.#buckets.get(load);
    if (bucket === undefined) return;
    bucket.splice(position(bucket, id), 1);
    if (bucket.length > 0) return;
    this.#buckets.delete(load);
    this.#sortedLoads = this.#sortedLoads.filter((other) => other !== load);
  }
}

/** Where a value is in a sorted list, or would have to go. */
function position<T extends string | number>(sorted: readonly T[], value: T): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = sorted[middle];
    if (there !== undefined && there < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
