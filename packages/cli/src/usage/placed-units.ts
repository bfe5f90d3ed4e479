import type { StateInfo } from "../client/cluster-client.ts";

/** Which units machines have, asked for anew where the last answer is old. */
export class PlacedUnits {
  readonly #states: () => Promise<readonly StateInfo[]>;
  readonly #mostAgeMs: number;
  #askedAt = Number.NEGATIVE_INFINITY;
  #answer: Promise<readonly StateInfo[]> = Promise.resolve([]);

  constructor(states: () => Promise<readonly StateInfo[]>, mostAgeMs: number) {
    this.#states = states;
    this.#mostAgeMs = mostAgeMs;
  }

  /** Names of the units that a machine tells of, sorted. While nothing is answered, those of before. */
  async on(machineID: string): Promise<readonly string[]> {
    if (performance.now() - this.#askedAt >= this.#mostAgeMs) {
      this.#askedAt = performance.now();
      const before = this.#answer;
      this.#answer = this.#states().catch(() => before);
    }
    return (await this.#answer).flatMap((state) => (state.machineID === machineID ? [state.name] : [])).sort();
  }
}
