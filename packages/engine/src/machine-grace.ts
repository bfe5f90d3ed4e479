import { setTimeout as sleep } from "node:timers/promises";
import { type Change, RegistryError } from "@fleet/domain/cluster";
import { type ClusterModel, VanishedMachines } from "@fleet/domain/placement";
import type { Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";

/** What a grace for machines needs. */
export interface MachineGraceOptions {
  readonly registry: Registry;
  readonly model: ClusterModel;
  readonly log: BaseLogger;
  readonly agentTtlMs: number;
}

/** How often etcd is asked whether it is there, in parts of agent_ttl: a silence counts from a half on. */
const ASKED_EVERY = 1 / 4;

/**
 * Gives machines a grace that vanish right after etcd's own silence: their units stay where they are until it ends.
 * When all of etcd stands still for longer than agent_ttl, leases of machines that are well end as it goes on.
 */
export class MachineGrace {
  readonly #options: MachineGraceOptions;
  readonly #vanished: VanishedMachines;

  constructor(options: MachineGraceOptions) {
    this.#options = options;
    this.#vanished = new VanishedMachines(options.agentTtlMs, performance.now());
  }

  /** Takes in changes that a watch has told, before anything is decided on them. */
  take(changes: readonly Change[]): void {
    const now = performance.now();
    this.#vanished.heard(now);
    for (const change of changes) {
      if (change.kind !== "machine") continue;
      if (change.after !== null) this.#vanished.returned(change.id);
      else if (this.#vanished.vanished(change.id, now)) this.#hold(change.id, now);
    }
  }

  /**
   * Lets machines be gone whose grace is over.
   *
   * @returns milliseconds until the next one's is; null: none has any
   */
  endDue(): number | null {
    const now = performance.now();
    for (const id of this.#vanished.ended(now)) {
      this.#options.log.warn({ machine: id }, `machine ${id} has not come back: its units are placed elsewhere`);
      this.#options.model.releaseMachine(id);
    }
    const { nextEnd } = this.#vanished;
    return nextEnd === null ? null : nextEnd - now;
  }

  /** Until when a machine's units stay where they are though it is lost; null: they don't. */
  heldUntil(id: string): Date | null {
    const end = this.#vanished.endOf(id);
    return end === null ? null : new Date(Math.ceil(Date.now() + end - performance.now()));
  }

  /** Asks etcd again and again whether it is there, so that its silence is noticed while nothing changes. */
  async run(signal: AbortSignal): Promise<void> {
    const { registry, agentTtlMs } = this.#options;
    while (!signal.aborted) {
      try {
        await registry.reachedRevision();
        this.#vanished.heard(performance.now());
      } catch (error) {
        // Whoever waits for etcd says so.
        if (!(error instanceof RegistryError)) throw error;
      }
      await sleep(agentTtlMs * ASKED_EVERY, undefined, { signal }).catch(() => undefined);
    }
  }

  #hold(id: string, now: number): void {
    const { model, log } = this.#options;
    model.holdMachine(id);
    const seconds = Math.ceil(((this.#vanished.nextEnd ?? now) - now) / 1000);
    log.warn(
      { machine: id },
      `machine ${id} disappeared while etcd was unreachable: its units stay there for up to ${seconds} s`,
    );
  }
}
