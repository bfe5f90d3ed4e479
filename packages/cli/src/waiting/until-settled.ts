import { CommandError } from "../errors.ts";
import type { Follower } from "./follow.ts";

const SAY_AFTER_MS = 5_000;
/** How long a server may be away while something is waited for, and how often it is asked meanwhile. */
const OUTAGE_MS = 120_000;
const AGAIN_MS = 500;
/** A look at many units costs the server something: while many things change it rests as long as it took, up to this. */
const MOST_REST_MS = 500;

/** A wait for something in the cluster. */
export interface Wait<T> {
  /** Looks at the cluster. Returns null to go on, and otherwise what the wait came to. */
  look(): Promise<T | null>;
  /** Says what is still waited for; called every few seconds. */
  onSlow?(): Promise<void>;
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
  let saidAt = startedAt;
  try {
    for (;;) {
      const lookedAt = performance.now();
      const result = await look();
      if (result !== null) return result;
      const now = performance.now();
      if (now >= endsAt) return null;
      if (now - saidAt > SAY_AFTER_MS) {
        saidAt = now;
        await wait.onSlow?.().catch(() => undefined); // a server that is away has nothing to say
      }
      const restMs = Math.min(MOST_REST_MS, now - lookedAt);
      await follower.next(Math.max(1, Math.min(endsAt - now, wait.lookAgainMs?.() ?? Number.POSITIVE_INFINITY)));
      await pause(Math.min(restMs, endsAt - performance.now()));
    }
  } finally {
    follower.stop();
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
