/** Numbers that look random and are the same for the same seed (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below a limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A whole number from `low` up to and including `high`. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error("nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  /** Bytes with some of them changed, taken out, doubled or moved. */
  mutate(input: Buffer): Buffer {
    let bytes = Buffer.from(input);
    for (let count = 1 + this.below(4); count > 0; count--) {
      const at = this.below(bytes.length + 1);
      const end = Math.min(bytes.length, at + this.below(20));
      switch (this.below(5)) {
        case 0:
          bytes = Buffer.concat([bytes.subarray(0, at), this.bytes(this.below(8)), bytes.subarray(at)]);
          break;
        case 1:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
          break;
        case 2:
          bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
          break;
        case 3:
          if (at < bytes.length) bytes[at] = this.below(256);
          break;
        default:
          bytes = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
      }
    }
    return bytes;
  }
}
