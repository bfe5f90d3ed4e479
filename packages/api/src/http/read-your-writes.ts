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

/**
 * Waits until this server shows a unit, or shows it no more.
 *
 * @throws HttpError 503 where that takes too long
 */
export type UntilShown = (unit: string, isThere: boolean) => Promise<void>;

/**
 * Makes the function that handlers call before they refuse a change for what etcd has, which this server may not show
 * yet: who is told that there is no such unit is not shown it a moment later.
 *
 * @param timeoutMs most milliseconds that it waits
 */
export function readYourRefusals(mirror: Pick<Mirror, "state" | "onChanges">, timeoutMs: number): UntilShown {
  return async (unit, isThere) => {
    const isShown = (): boolean => mirror.state.units.has(unit) === isThere;
    if (isShown()) return;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const forget = mirror.onChanges(() => {
      if (isShown()) resolve(true);
    });
    const wasShown = await promise;
    clearTimeout(timer);
    forget();
    if (!wasShown) throw new HttpError(503, UNSEEN);
  };
}
