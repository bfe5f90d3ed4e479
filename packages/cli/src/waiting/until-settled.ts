import { CommandError } from "../errors.ts";
import type { Follower } from "./follow.ts";

/** Nobody waits longer than this, five seconds with the reading, without a word; and is told no more often. */
const SAY_EVERY_MS = 4_000;
/** How long a server may be away while something is waited for, and how often it is asked meanwhile. */
const OUTAGE_MS = 120_000;
const AGAIN_MS = 500;
/** A look at many units costs the server something: while many things change it rests as long as it took, up to this. */
const MOST_REST_MS = 500;

/** A wait for something in the cluster. */
export interface Wait<T> {
  /** Looks at the cluster. Returns null to go on, and otherwise what the wait came to. */
  look(): Promise<T | null>;
  /** What is still waited for, and why, as a line; it is said once the wait is long, and again when it changes. */
  waitingFor(): Promise<string>;
  say(line: string): void;
  /** When to look again though nothing happens, in milliseconds; absent: only when something does. */
  lookAgainMs?(): number;
}

/**
 * Looks, and looks again at each change, until a look says that the wait is over or its time is up. Stops the follower.
 *
 * @param mostMs Infinity: without limit
 * @returns null where the time was up
 */
export async function untilSettled<T>(follower: Follower, mostMs: number, wait: Wait<T>): Promise<T | null> {
  const look = patiently(() => wait.look());
  const startedAt = performance.now();
  const endsAt = startedAt + mostMs;
  const narrator = new Narrator(wait, startedAt);
  try {
    for (;;) {
      const lookedAt = performance.now();
      const result = await look();
      if (result !== null) return result;
      const now = performance.now();
      if (now >= endsAt) return null;
      await narrator.sayIfDue(now);
      const restMs = Math.min(MOST_REST_MS, now - lookedAt);
      const againMs = Math.min(wait.lookAgainMs?.() ?? Number.POSITIVE_INFINITY, narrator.nextMs(now));
      await follower.next(Math.max(1, Math.min(endsAt - now, againMs)));
      await pause(Math.min(restMs, endsAt - performance.now()));
    }
  } finally {
    follower.stop();
  }
}

/** Says what a long wait waits for. */
class Narrator {
  readonly #wait: Pick<Wait<unknown>, "waitingFor" | "say">;
  #said = "";
  #nextAt: number;

  constructor(wait: Pick<Wait<unknown>, "waitingFor" | "say">, startedAt: number) {
    this.#wait = wait;
    this.#nextAt = startedAt + SAY_EVERY_MS;
  }

  nextMs(now: number): number {
    return this.#nextAt - now;
  }

  async sayIfDue(now: number): Promise<void> {
    if (now < this.#nextAt) return;
    this.#nextAt = now + SAY_EVERY_MS;
    const line = await this.#wait.waitingFor().catch(() => null); // a server that is away has nothing to say
    if (line === null || line === this.#said) return;
    this.#said = line;
    this.#wait.say(line);
  }
}

/**
 * Makes a look that outlasts a server, or an etcd, that is away for a while: what was asked of the cluster is there
 * when it comes back. The first look fails at once.
 *
 * @returns null for a look that failed so
 */
export function patiently<T>(look: () => Promise<T | null>): () => Promise<T | null> {
  let workedAt: number | null = null;
  return async () => {
    try {
      const result = await look();
      workedAt = performance.now();
      return result;
    } catch (error) {
      const isPassing = error instanceof CommandError && error.isPassing;
      if (!isPassing || workedAt === null || performance.now() - workedAt > OUTAGE_MS) throw error;
      await pause(AGAIN_MS);
      return null;
    }
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
