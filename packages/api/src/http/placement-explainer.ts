import type { ClusterState } from "@fleet/domain/cluster";
import { explainIn, explainVersion, type Look, lookAt, type Placement } from "@fleet/domain/placement";
import type { UnitOption } from "@fleet/domain/unit";
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
    return this.#inTurn(async () => {
      if (!this.#state.units.has(name)) return null;
      return inTimeSlices(explainIn(this.#state, await this.#lookFor(name), name));
    });
  }

  /** Where a version of a unit could be if it was put in and launched now; also of a unit that there is not. */
  explainVersion(name: string, options: readonly UnitOption[]): Promise<Placement> {
    return this.#inTurn(async () =>
      inTimeSlices(explainVersion(this.#state, await this.#lookFor(name), name, options)),
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const answer = this.#last.then(work);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** A snapshot of the cluster that has a unit as it is now: a client that has just changed it must see the change. */
  async #lookFor(name: string): Promise<Look> {
    const record = this.#state.units.get(name);
    const known = this.#look;
    const isFresh =
      known !== null && performance.now() - known.takenAt < FRESH_MS && known.look.units.get(name)?.record === record;
    if (isFresh) return known.look;
    const look = await inTimeSlices(lookAt(this.#state));
    this.#keep(look);
    return look;
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
