import { SystemdError } from "./systemd.ts";

/** A stop that takes longer is reported and tried again; systemd goes on with it meanwhile. */
const STOP_MS = 300_000;
/** Ends of jobs that nobody has asked for are kept up to this many. */
const MOST_EARLY = 1_000;

/** systemd's jobs and their ends, which may come before the answer that names the job. */
export class Jobs {
  readonly #waiting = new Map<string, PromiseWithResolvers<string>>();
  readonly #early = new Map<string, string>();

  /** Takes note of the end of a job, by its object path. */
  noteEnd(job: string, result: string): void {
    const waiting = this.#waiting.get(job);
    if (waiting !== undefined) {
      this.#waiting.delete(job);
      return waiting.resolve(result);
    }
    this.#early.set(job, result);
    if (this.#early.size > MOST_EARLY) this.#early.delete(this.#early.keys().next().value ?? "");
  }

  /**
   * The end of a job: systemd's word for its result, such as `done`. Rejected where the connection is lost before; that
   * may go unheard.
   */
  ended(job: string): Promise<string> {
    const early = this.#early.get(job);
    this.#early.delete(job);
    if (early !== undefined) return Promise.resolve(early);
    const waiting = this.#waiting.get(job) ?? Promise.withResolvers<string>();
    this.#waiting.set(job, waiting);
    waiting.promise.catch(() => undefined);
    return waiting.promise;
  }

  /**
   * Waits for the end of a stop job.
   *
   * @param unit whose job it is, for the message of an error
   * @returns systemd's word for its result, such as `done`
   * @throws SystemdError where it takes longer than a unit may take to stop, or the connection is lost
   */
  async waitForStop(job: string, unit: string): Promise<string> {
    const late = Promise.withResolvers<never>();
    const error = new SystemdError(`${unit} has been stopping for ${STOP_MS / 1000} s: it is still running`);
    const timer = setTimeout(() => late.reject(error), STOP_MS);
    try {
      return await Promise.race([this.ended(job), late.promise]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(job);
    }
  }

  /** Fails every wait: the ends are not heard any more. */
  abandon(error: SystemdError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
