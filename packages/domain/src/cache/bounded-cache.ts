/**
 * A cache of values that can be computed again, of bounded number or weight. A full cache is emptied before the next value goes
 * in: no order of use has to be kept.
 */
export class BoundedCache<K, V> {
  readonly #capacity: number;
  readonly #weigh: (value: V) => number;
  readonly #entries = new Map<K, V>();
  #weight = 0;

  /**
   * @param capacity what the entries may weigh together; a single one may weigh more
   * @param weigh what a value weighs; by default 1, so that the capacity is a number of entries
   */
  constructor(capacity: number, weigh: (value: V) => number = () => 1) {
    this.#capacity = capacity;
    this.#weigh = weigh;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Undefined: not in the cache. */
  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.delete(key);
    const weight = this.#weigh(value);
    if (this.#weight + weight > this.#capacity) this.clear();
    this.#weight += weight;
    this.#entries.set(key, value);
  }

  /** The value in the cache, or else a new one, which goes into the cache. Where `make` throws, nothing does. */
  getOrMake(key: K, make: () => V): V {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.set(key, made);
    return made;
  }

  delete(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#weight -= this.#weigh(value);
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }
}
