import type { Mirror } from "@fleet/registry";
import { HttpError, UNSEEN } from "./errors.ts";

/**
 * Waits until this server would show a key as it was written, or later.
 *
 * @param revision the etcd revision that the write came to
 * @throws HttpError 503 where the server's view does not come so far in time
 */
export type UntilVisible = (key: string, revision: number) => Promise<void>;

/**
 * Makes what holds the answer to a write back: no server acknowledges what it would deny a moment later.
 *
 * @param timeoutMs how long an answer may wait for the mirror
 */
export function readYourWrites(mirror: Pick<Mirror, "waitFor">, timeoutMs: number): UntilVisible {
  return async (key, revision) => {
    if (!(await mirror.waitFor(key, revision, timeoutMs)))
      throw new HttpError(503, `${UNSEEN} (etcd revision ${revision})`);
  };
}
