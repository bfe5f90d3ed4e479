import type { AgentFailpoint } from "@fleet/agent";

/** Points at which a daemon can be made to crash. */
export type Failpoint = "etcd.before-txn" | "etcd.after-txn" | AgentFailpoint;

/** Faults that a daemon must survive. */
export type Fault =
  /** A batch of watch events comes late, by up to two seconds; those behind it wait. */
  | "etcd.watch-late"
  /** A batch of watch events comes twice. */
  | "etcd.watch-twice"
  /** The first event of a batch never comes, and nobody is told. */
  | "etcd.event-dropped"
  /** A transaction was carried out, and the answer is lost. */
  | "etcd.answer-lost"
  /** The event loop stands still for HELD_MS when the daemon is asked for its state. */
  | "loop.held";

const HELD_MS = 60_000;

/**
 * Injects crashes and faults at random, for tests. Only fleetd does: no library reads the variable or ends its process.
 */
export class Failpoints {
  readonly #chances: ReadonlyMap<string, number>;

  /**
   * @param setting as in environment variable FLEET_FAILPOINTS: `name=chance[,name=chance…]`, where a chance is between
   * 0 and 1; undefined or empty: nothing goes wrong
   */
  constructor(setting: string | undefined) {
    const entries = (setting ?? "").split(",").filter((entry) => entry.includes("="));
    this.#chances = new Map(
      entries.map((entry) => {
        const at = entry.indexOf("=");
        return [entry.slice(0, at), Number(entry.slice(at + 1))];
      }),
    );
  }

  /** Whether anything may go wrong. */
  get isAny(): boolean {
    return this.#chances.size > 0;
  }

  /** Whether a fault is to happen now, by its chance. */
  happens(fault: Fault): boolean {
    return this.#drawn(fault);
  }

  /** Kills this process, by the chance of the point. */
  reach(point: Failpoint): void {
    if (this.#drawn(point)) process.kill(process.pid, "SIGKILL");
  }

  /** Holds the event loop up, by the chance of that fault. */
  holdLoop(): void {
    if (this.happens("loop.held")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD_MS);
  }

  #drawn(name: string): boolean {
    return Math.random() < (this.#chances.get(name) ?? 0);
  }
}
