import { type StartJob, SystemdError } from "./systemd/systemd.ts";

/** What is done about a start. */
export interface StartFollower {
  /** Looks what came of it once its job has ended with a result. May reject, where the connection to systemd is lost. */
  readonly look: (result: string) => Promise<void>;
  /** Called once what came of it was looked at, or can't be; null: nothing went wrong with that. */
  readonly onSettled: (error: unknown) => void;
}

/** Starts of units that systemd has accepted, and of which it is not known yet what came of them: the newest of each. */
export class StartJobs {
  readonly #jobs = new Map<string, StartJob>();

  has(name: string): boolean {
    return this.#jobs.has(name);
  }

  /** Follows a start to its end; one before it, of the same unit, is no longer of interest. */
  follow(name: string, job: StartJob, follower: StartFollower): void {
    this.#jobs.set(name, job);
    void this.#follow(name, job, follower);
  }

  /** Follows a unit's start no more: something else is done with it. */
  forget(name: string): void {
    this.#jobs.delete(name);
  }

  async #follow(name: string, job: StartJob, { look, onSettled }: StartFollower): Promise<void> {
    const isNewest = (): boolean => this.#jobs.get(name) === job;
    let failure: unknown = null;
    try {
      const result = await job.ended;
      if (isNewest()) await look(result);
    } catch (error) {
      // Where the connection was lost, every unit is looked at with the next one.
      failure = error instanceof SystemdError && error.unavailable ? null : error;
    }
    if (!isNewest()) return;
    this.#jobs.delete(name);
    onSettled(failure);
  }
}
