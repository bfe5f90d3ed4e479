import type { Keys } from "@fleet/domain/cluster";
import { ReconcileLoop, SaidOnce } from "@fleet/loop";
import type { Etcd } from "@fleet/registry";
import type { BaseLogger } from "pino";

/** The message of the old fleet, for which operators search their logs. */
const TRIGGERED = "Server monitor triggered: Monitor timed out before successful heartbeat";

/**
 * Knows whether the registry can be used. It reads one key of etcd again and again, and is unhealthy after a third of
 * agent_ttl without an answer. Until etcd answers again, the API answers with 503. Units go on running.
 */
export class Monitor {
  readonly #limitMs: number;
  readonly #log: BaseLogger;
  readonly #loop: ReconcileLoop;
  #answeredAt = performance.now();
  #isTriggered = false;
  readonly #trouble: SaidOnce<Error>;

  constructor(etcd: Etcd, keys: Keys, ttlMs: number, log: BaseLogger) {
    this.#limitMs = ttlMs / 3;
    this.#log = log;
    this.#trouble = new SaidOnce((error) => log.error(`${error.message}; trying again, units go on running`));
    const pauseMs = ttlMs / 6;
    const key = keys.leader();
    this.#loop = new ReconcileLoop({
      round: async () => {
        await etcd.range({ start: key, end: `${key}\0` }, { limit: 1 });
        this.#answered();
        return pauseMs;
      },
      onError: (error) => this.#failed(error),
    });
  }

  get isHealthy(): boolean {
    return !this.#isTriggered;
  }
  /** Milliseconds since etcd last answered. */
  get silentMs(): number {
    return performance.now() - this.#answeredAt;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  #answered(): void {
    this.#answeredAt = performance.now();
    if (this.#trouble.isTroubled) this.#log.info("etcd answers again");
    this.#trouble.over();
    this.#isTriggered = false;
  }

  #failed(error: unknown): void {
    this.#trouble.say(error instanceof Error ? error : new Error(String(error)));
    if (this.silentMs < this.#limitMs || this.#isTriggered) return;
    this.#isTriggered = true;
    this.#log.error(TRIGGERED);
  }
}
