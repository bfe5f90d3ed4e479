import { type ClusterModel, explainWaiting, type Waiting, waitingText } from "@fleet/domain/placement";
import type { BaseLogger } from "pino";

/** Most units that are explained at a time: each explanation looks at every machine. */
const MOST_EXPLAINED = 20;

/** Tells why units are on no machine: to whoever asks, and in the log once for each while it waits. */
export class WaitingReport {
  readonly #model: ClusterModel;
  readonly #log: BaseLogger;
  /** Units that the log tells of already. */
  readonly #said = new Set<string>();

  constructor(model: ClusterModel, log: BaseLogger) {
    this.#model = model;
    this.#log = log;
  }

  /** The first units that wait, with why. */
  list(): readonly (Waiting | null)[] {
    return [...this.#model.waiting].slice(0, MOST_EXPLAINED).map((name) => explainWaiting(this.#model, name));
  }

  /**
   * Logs units that fit nowhere, with why, unless the log tells of them already; at most 20 a call.
   *
   * @param isOnItsWay whether a unit is being moved: it waits for that only
   */
  say(isOnItsWay: (unit: string) => boolean): void {
    for (const name of this.#said) if (!this.#model.isWaiting(name)) this.#said.delete(name);
    let count = 0;
    for (const name of this.#model.waiting) {
      if (this.#said.has(name) || isOnItsWay(name) || count++ >= MOST_EXPLAINED) continue;
      const waiting = explainWaiting(this.#model, name);
      if (waiting === null) continue;
      this.#said.add(name);
      this.#log.warn({ unit: name, machines: waiting.machines, reasons: waiting.reasons }, waitingText(waiting));
    }
  }
}
