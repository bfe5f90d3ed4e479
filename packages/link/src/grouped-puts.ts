import { setImmediate as turn } from "node:timers/promises";
import type { Op } from "@fleet/domain/cluster";
import type { Etcd } from "@fleet/registry";

/** A key that is written. */
export type Put = Extract<Op, { readonly put: string }>;

interface Waiting {
  readonly op: Put;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** etcd takes 128 operations in a transaction. */
const MOST_TOGETHER = 100;

/**
 * Writes keys in the order in which that is asked for. What is asked for in one turn of the event loop, or while a
 * transaction is under way, travels in one: questions to a hundred machines at once are no hundred transactions.
 */
export class GroupedPuts {
  readonly #etcd: Etcd;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(etcd: Etcd) {
    this.#etcd = etcd;
  }

  /** @throws RegistryError where etcd can't be written to */
  put(op: Put): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ op, resolve, reject });
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await turn();
    while (this.#waiting.length > 0) {
      const together = this.#waiting.slice(0, MOST_TOGETHER);
      this.#waiting = this.#waiting.slice(MOST_TOGETHER);
      try {
        await this.#etcd.txn(
          [],
          together.map(({ op }) => op),
        );
        for (const { resolve } of together) resolve();
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#isRunning = false;
  }
}
