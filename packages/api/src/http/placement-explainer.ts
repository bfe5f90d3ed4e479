import type { ClusterState } from "@fleet/domain/cluster";
import { explainIn, type Look, lookAt, type Placement } from "@fleet/domain/placement";
import { inTimeSlices } from "./time-slices.ts";

/** How long a look at a large cluster serves further questions. */
const FRESH_MS = 1_000;

/**
 * Answers questions about placement one after the other, over one look at the cluster for all that are asked within a
 * second: a look costs time and memory by the size of the cluster.
 */
export class PlacementExplainer {
  readonly #state: ClusterState;
  #look: { readonly look: Look; readonly takenAt: number } | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: ClusterState) {
    this.#state = state;
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
      known !== null && performance.now() - known.takenAt < FRESH_MS && known.look.units.get(name)?.record === record;
    const look = isFresh ? known.look : await inTimeSlices(lookAt(this.#state));
    if (!isFresh) this.#keep(look);
    return inTimeSlices(explainIn(this.#state, look, name));
  }

  /** A look may be as large as the cluster: it is let go of as soon as it serves no more. */
  #keep(look: Look): void {
    const kept = { look, takenAt: performance.now() };
    this.#look = kept;
    setTimeout(() => {
      if (this.#look === kept) this.#look = null;
    }, FRESH_MS).unref();
  }
}
