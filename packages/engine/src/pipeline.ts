import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { ClusterState } from "@fleet/domain/cluster";
import { type Decision, type ModelFeed, plan } from "@fleet/domain/placement";
import type { Leadership } from "@fleet/registry";
import type { Committer } from "./committer.ts";

/** What a pipeline works with. */
export interface PipelineOptions {
  readonly feed: ModelFeed;
  readonly state: ClusterState;
  readonly committer: Committer;
  /** Asked before each batch and each transaction: false ends the work. */
  readonly mayAct: (leadership: Leadership) => boolean;
  /** The etcd revision that decisions made now are based on. */
  readonly revision: () => number;
  /** Hears of each decision that etcd took, and of each that it did not, or may not have, taken. */
  readonly onDone: (decision: Decision, decidedAt: number, writtenAt: number) => void;
  readonly onLost: (decision: Decision) => void;
}

/** What `run` has under way. */
interface Run {
  readonly leadership: Leadership;
  /** Batches that are on their way to etcd. */
  readonly batches: Set<Promise<void>>;
  readonly failures: unknown[];
}

const DECISIONS_A_BATCH = 240;
/** Measured: with fewer batches on their way etcd waits for the engine, and eight are no faster. */
const MOST_UNDERWAY = 6;
/** How long one plan may take, in milliseconds: heart-beats and events wait until it is made. */
const PLAN_MS = 5;
/** How long the watch is given to bring the change that a decision was lost to, in milliseconds. */
const LOST_MS = 20;

/**
 * Decides and writes at the same time: while batches of decisions are on their way to etcd, the next batch is made on a
 * model that holds them already. An ordered batch, in which a unit leaves a machine or follows another unit, is sent
 * when nothing else is on its way, and alone. One that was made earlier than that is thrown away and decided on anew.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  /** Units with a decision on its way to etcd. */
  readonly #committing = new Set<string>();
  /** Units that the mover has on their way: the plan leaves them alone. */
  readonly #moving = new Set<string>();
  /** Units that came up for a decision while they were kept from it. */
  readonly #skipped = new Set<string>();

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** How many decisions are on their way to etcd. */
  get inFlight(): number {
    return this.#committing.size;
  }

  isMoving(unit: string): boolean {
    return this.#moving.has(unit);
  }

  /**
   * Keeps the plan from deciding on a unit, or lets it again.
   *
   * @returns whether it may be decided on now, and might not before
   */
  hold(unit: string, isHeld: boolean): boolean {
    if (isHeld) {
      this.#moving.add(unit);
      return false;
    }
    if (!this.#moving.delete(unit)) return false;
    this.#lookAgain(unit);
    return true;
  }

  /**
   * Decides and writes until nothing is left to decide, or it may not act any more.
   *
   * @throws RegistryError where etcd can't be reached; what was on its way is seen as etcd has it then
   */
  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { feed, mayAct, revision } = this.#options;
    const run: Run = { leadership, batches: new Set(), failures: [] };
    while (!signal.aborted && run.failures.length === 0 && mayAct(leadership)) {
      const endsAt = performance.now() + PLAN_MS;
      const decidedAt = revision();
      const decisions = plan(feed.model, DECISIONS_A_BATCH, this.#isHeld, () => performance.now() < endsAt);
      if (decisions.length > 0) await this.#send(decisions, decidedAt, run);
      else if (feed.model.dirtyCount === 0) {
        if (run.batches.size === 0) break;
        await Promise.race(run.batches);
      }
      await turn(); // heart-beats and watch events go first
    }
    await Promise.all(run.batches);
    if (run.failures.length > 0) throw run.failures[0];
  }

  /** Sends a batch on its way, and waits until another may follow. */
  async #send(decisions: readonly Decision[], decidedAt: number, run: Run): Promise<void> {
    const { batches, failures, leadership } = run;
    const isOrdered = this.#isOrdered(decisions);
    if (isOrdered && batches.size > 0) {
      for (const { name } of decisions) this.#lookAgain(name);
      await Promise.all(batches);
      return;
    }
    for (const { name } of decisions) this.#committing.add(name);
    await turn(); // writing takes as long as deciding did
    const batch = this.#commit(decisions, isOrdered, decidedAt, leadership)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => batches.delete(batch));
    batches.add(batch);
    if (isOrdered) await batch;
    else if (batches.size >= MOST_UNDERWAY) await Promise.race(batches);
  }

  async #commit(
    decisions: readonly Decision[],
    isOrdered: boolean,
    decidedAt: number,
    leadership: Leadership,
  ): Promise<void> {
    const { committer, state, feed, mayAct, onDone } = this.#options;
    let lost = decisions;
    try {
      const may = (): boolean => mayAct(leadership);
      const committed = await committer.commit(decisions, state, feed.model, leadership, isOrdered, may);
      lost = committed.lost;
      for (const { decision, revision } of committed.done) {
        this.#committing.delete(decision.name);
        if (this.#skipped.delete(decision.name)) feed.model.markDirty(decision.name);
        onDone(decision, decidedAt, revision);
      }
      if (lost.length > 0) await sleep(LOST_MS);
    } finally {
      this.#giveBack(lost);
    }
  }

  /** What etcd did not take, or may have taken, is seen as etcd has it; the rest comes by the watch. */
  #giveBack(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      this.#committing.delete(decision.name);
      this.#options.onLost(decision);
      this.#lookAgain(decision.name);
    }
  }

  /** A unit that takes another's place, or follows it, must not be there before the other's change is. */
  #isOrdered(decisions: readonly Decision[]): boolean {
    const { units } = this.#options.feed.model;
    return decisions.some(
      ({ from, name }) => from !== null || (units.get(name)?.requirements.machineOf.length ?? 0) > 0,
    );
  }

  readonly #isHeld = (name: string): boolean => {
    const isHeld = this.#committing.has(name) || this.#moving.has(name);
    if (isHeld) this.#skipped.add(name);
    return isHeld;
  };

  #lookAgain(unit: string): void {
    const { feed } = this.#options;
    this.#skipped.delete(unit);
    feed.syncUnit(unit);
    feed.model.markDirty(unit);
  }
}
