import { setTimeout as sleep } from "node:timers/promises";
import { backoff, SaidOnce } from "@fleet/loop";
import type { BaseLogger } from "pino";
import type { Systemd } from "./systemd/systemd.ts";

/** What a kept connection needs. */
export interface SystemdConnectionOptions {
  readonly log: BaseLogger;
  readonly connect: () => Promise<Systemd>;
  /** Hears of units that may have changed; null: any may have. */
  readonly onChanged: (name: string | null) => void;
  /** Called each time there is a connection, before it is used. Where it fails, a new connection is made. */
  readonly onConnected: (systemd: Systemd) => Promise<void>;
  /** Called once the connection can be used. */
  readonly onReady: () => void;
}

/** Keeps a connection to systemd: a new one each time the last was lost. */
export class SystemdConnection {
  readonly #options: SystemdConnectionOptions;
  #current: Systemd | null = null;

  constructor(options: SystemdConnectionOptions) {
    this.#options = options;
  }

  /** The connection; null while there is none. */
  get current(): Systemd | null {
    return this.#current;
  }

  /** Stays connected until the signal aborts; the last connection is then left to `close`. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, connect, onChanged, onConnected, onReady } = this.#options;
    let failures = 0;
    const trouble = new SaidOnce((error) =>
      log.error({ err: error }, `systemd can't be used, trying again: ${error.message}`),
    );
    while (!signal.aborted) {
      try {
        const systemd = await connect();
        systemd.onChanged(onChanged);
        await onConnected(systemd);
        this.#current = systemd;
        failures = 0;
        trouble.over();
        onReady();
        await Promise.race([systemd.lost, aborted(signal)]);
        if (signal.aborted) return;
        this.#current = null;
        systemd.close();
        log.warn("the connection to systemd was lost; the units go on running");
      } catch (error) {
        trouble.say(error instanceof Error ? error : new Error(String(error)));
        await sleep(backoff(failures++), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  close(): void {
    this.#current?.close();
  }
}

/** Fulfilled once a signal is aborted, at once where it is already. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
