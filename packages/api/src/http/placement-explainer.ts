import type { ClusterState } from "@fleet/domain/cluster";
import { explainIn, type Look, lookAt, type Placement } from "@fleet/domain/placement";
import { inTimeSlices } from "./time-slices.ts";

/** How long one snapshot of the cluster serves further requests. */
const FRESH_MS = 1_000;

/**
 * Explains the placement of units. Requests are answered one after the other, and those within a second share one
 * snapshot of the cluster: a snapshot costs time and memory in proportion to the cluster's size.
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
    // A client that has just changed a unit must see the change.
    const isFresh =
      known !== null && performance.now() - known.takenAt < FRESH_MS && known.look.units.get(name)?.record === record;
    const look = isFresh ? known.look : await inTimeSlices(lookAt(this.#state));
    if (!isFresh) this.#keep(look);
    return inTimeSlices(explainIn(this.#state, look, name));
  }

  /** Keeps a snapshot for as long as it is fresh, and no longer: it may be as large as the cluster. */
  #keep(look: Look): void {
    const kept = { look, takenAt: performance.now() };
    this.#look = kept;
    setTimeout(() => {
      if (this.#look === kept) this.#look = null;
    }, FRESH_MS).unref();
  }
}
