import pLimit from "p-limit";

/** With 512 jobs at a time systemd was seen to lose D-Bus for the load. */
const MOST_JOBS = 128;
/** A job that takes longer, such as a stop that hangs, gives its slot back: it holds up no other. */
const SLOT_MS = 5_000;

/** Bounds how many starts and stops of units are asked of systemd at a time. */
export class JobSlots {
  readonly #limit = pLimit(MOST_JOBS);

  /** Does something once it is its turn; fulfilled or rejected as the work is. */
  async run(work: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    void this.#limit(async () => {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, SLOT_MS);
      const done = work().then(resolve, reject);
      await Promise.race([done, late.promise]);
      clearTimeout(timer);
    });
    return promise;
  }
}
