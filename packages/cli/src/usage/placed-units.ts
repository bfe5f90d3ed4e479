import type { StateInfo } from "../client/cluster-client.ts";

/** Which units machines have, asked for anew where the last answer is old. */
export class PlacedUnits {
  readonly #states: () => Promise<readonly StateInfo[]>;
  readonly #mostAgeMs: number;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Null: nothing was answered yet. */
  #answer: Promise<readonly StateInfo[]> | null = null;

  constructor(states: () => Promise<readonly StateInfo[]>, mostAgeMs: number) {
    this.#states = states;
    this.#mostAgeMs = mostAgeMs;
  }

  /**
   * Names of the units that a machine tells of, sorted. While nothing is answered, those of before.
   *
   * @throws CommandError where nothing was answered before, either
   */
  async on(machineID: string): Promise<readonly string[]> {
    const before = this.#answer;
    if (before === null || performance.now() - this.#askedAt >= this.#mostAgeMs) {
      this.#askedAt = performance.now();
      this.#answer = this.#states().catch((error: unknown) => before ?? Promise.reject(error));
    }
    return ((await this.#answer) ?? []).flatMap((state) => (state.machineID === machineID ? [state.name] : [])).sort();
  }
}
