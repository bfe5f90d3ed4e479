import pLimit from "p-limit";

/** Of those that do not take long. */
const MOST_QUICK = 128;
/** In all: with 512 at a time systemd was seen to lose D-Bus for the load. */
const MOST = 384;
/** A job that takes longer, such as a stop that hangs, lets others begin. */
const QUICK_MS = 5_000;

/** Bounds how many starts and stops of units are asked of systemd at a time. */
export class JobSlots {
  readonly #all = pLimit(MOST);
  readonly #quick = pLimit(MOST_QUICK);

  /** Does something once it is its turn; fulfilled or rejected as the work is. */
  run(work: () => Promise<void>): Promise<void> {
    return this.#all(async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      void this.#quick(async () => {
        const late = Promise.withResolvers<void>();
        const timer = setTimeout(late.resolve, QUICK_MS);
        const done = work().then(resolve, reject);
        await Promise.race([done, late.promise]);
        clearTimeout(timer);
      });
      await promise;
    });
  }
}
