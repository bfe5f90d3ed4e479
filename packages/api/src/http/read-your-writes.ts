import type { Mirror } from "@fleet/registry";
import { HttpError, UNSEEN } from "./errors.ts";

/**
 * Waits until this server shows a key as of a revision, or a later one.
 *
 * @param revision the etcd revision of the write
 * @throws HttpError 503 where that takes too long
 */
export type UntilVisible = (key: string, revision: number) => Promise<void>;

/**
 * Makes the function that handlers call before they answer a write. A client that then asks the same server reads its
 * own write.
 *
 * @param timeoutMs most milliseconds that it waits
 */
export function readYourWrites(mirror: Pick<Mirror, "waitFor">, timeoutMs: number): UntilVisible {
  return async (key, revision) => {
    if (!(await mirror.waitFor(key, revision, timeoutMs)))
      throw new HttpError(503, `${UNSEEN} (etcd revision ${revision})`);
  };
}
