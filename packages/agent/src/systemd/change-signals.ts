/** More units than these starting at a time are heard of by the ends of their jobs only. */
const FEW_STARTS = 8;
/** After the last of many starts has ended: others may be about to begin. */
const LISTEN_AGAIN_MS = 100;
/** Some starts take long: changes are listened to again before they end. */
const DEAF_AT_MOST_MS = 2_000;

/** What listening to changes needs. */
export interface ChangeSignalsOptions {
  /** Asks systemd for the signals of changes, or for no more of them. */
  readonly setListening: (isListening: boolean) => Promise<void>;
  /** Called where systemd could not be asked: without its signals the connection is of no use. */
  readonly onFailure: () => void;
}

/**
 * Signals of units that have changed. systemd sends six or more of them for each unit that starts, and the end of the
 * start job says all that matters. While more than eight units start, changes are therefore not listened to; where nobody
 * else on the machine listens, such as logind, systemd then does not even write them. Ends of jobs arrive all the same.
 * Changes are listened to again 100 ms after the last of these starts has ended, and after two seconds at the latest. Any
 * unit may have changed by then.
 */
export class ChangeSignals {
  readonly #options: ChangeSignalsOptions;
  readonly #listeners = new Set<(name: string | null) => void>();
  /** Units whose start has been asked for and has not ended. */
  readonly #starting = new Set<string>();
  #isDeaf = false;
  /** When changes are listened to again at the latest, by performance.now(). */
  #deafUntil = 0;
  #listenAgain: NodeJS.Timeout | undefined;

  constructor(options: ChangeSignalsOptions) {
    this.#options = options;
  }

  /** Hears of units that may have changed; null: any may have. */
  onChanged(listener: (name: string | null) => void): void {
    this.#listeners.add(listener);
  }

  /** Tells that a unit has changed. */
  tell(name: string | null): void {
    for (const listener of this.#listeners) listener(name);
  }

  /** A unit is about to start. */
  startBegins(name: string): void {
    this.#starting.add(name);
    if (this.#isDeaf || this.#starting.size <= FEW_STARTS) return;
    this.#isDeaf = true;
    this.#deafUntil = performance.now() + DEAF_AT_MOST_MS;
    void this.#setListening(false);
    this.#listenAgain = setTimeout(() => this.#listen(), DEAF_AT_MOST_MS);
  }

  /** A unit's start, or another job of it, has ended. */
  jobEnded(name: string): void {
    this.#starting.delete(name);
    if (this.#starting.size > 0 || !this.#isDeaf) return;
    clearTimeout(this.#listenAgain);
    const leftMs = Math.max(0, this.#deafUntil - performance.now());
    this.#listenAgain = setTimeout(() => this.#listen(), Math.min(LISTEN_AGAIN_MS, leftMs));
  }

  close(): void {
    clearTimeout(this.#listenAgain);
  }

  #listen(): void {
    this.#isDeaf = false;
    this.#starting.clear();
    void this.#setListening(true).then(() => this.tell(null));
  }

  async #setListening(isListening: boolean): Promise<void> {
    try {
      await this.#options.setListening(isListening);
    } catch {
      this.#options.onFailure();
    }
  }
}
