import type { ClusterState } from "@fleet/registry";
import { explainIn, type Look, lookAt, type Placement } from "@fleet/registry/placement";

/** How long a look at a large cluster serves further questions. */
const FRESH_MS = 1_000;

/**
 * Answers questions about placement one after the other, over one look at the cluster for all that are asked within a
 * second: a look costs time and memory by the size of the cluster.
 */
export class PlacementDesk {
  readonly #state: ClusterState;
  readonly #inSlices: <T>(work: Generator<void, T>) => Promise<T>;
  readonly #now: () => number;
  #look: { readonly look: Look; readonly takenAt: number } | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: ClusterState, inSlices: <T>(work: Generator<void, T>) => Promise<T>, now: () => number) {
    this.#state = state;
    this.#inSlices = inSlices;
    this.#now = now;
  }

  /** Null where there is no such unit. */
  explain(name: string): Promise<Placement | null> {
    const answer = this.#last.then(() => this.#answer(name));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #answer(name: string): Promise<Placement | null> {
    const record = this.#state.units.get(name);
    if (record === undefined) return null;
    const known = this.#look;
    // Whoever has just changed a unit must see it as it is now.
    const isFresh =
      known !== null && this.#now() - known.takenAt < FRESH_MS && known.look.units.get(name)?.record === record;
    const look = isFresh ? known.look : await this.#inSlices(lookAt(this.#state));
    if (!isFresh) this.#look = { look, takenAt: this.#now() };
    const placement = await this.#inSlices(explainIn(this.#state, look, name));
    if (this.#now() - (this.#look?.takenAt ?? 0) > FRESH_MS) this.#look = null;
    return placement;
  }

  /** Lets go of a look that nobody has asked about lately. */
  forget(): void {
    if (this.#look !== null && this.#now() - this.#look.takenAt > FRESH_MS) this.#look = null;
  }
}
