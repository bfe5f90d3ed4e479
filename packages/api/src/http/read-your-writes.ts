import type { Mirror } from "@fleet/registry";
import { HttpError, REFUSED_UNSEEN, UNSEEN } from "./errors.ts";

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
 * The same for a unit, which was written at exactly that revision.
 *
 * @param isThere whether it was put; false: it was destroyed
 */
export type UntilUnitVisible = (key: string, revision: number, isThere: boolean) => Promise<void>;

/** As `readYourWrites`, for units: also where etcd has lost the event of the write. */
export function readYourUnits(mirror: Pick<Mirror, "waitForWrite">, timeoutMs: number): UntilUnitVisible {
  return async (key, revision, isThere) => {
    if (!(await mirror.waitForWrite(key, revision, isThere, timeoutMs)))
      throw new HttpError(503, `${UNSEEN} (etcd revision ${revision})`);
  };
}

/** Whether etcd has a unit, as of a revision. */
export interface Presence {
  readonly isThere: boolean;
  readonly revision: number;
}

/**
 * Waits until this server shows a unit, or shows it no more, as etcd does, or shows what came later.
 *
 * @param key the unit's
 * @throws HttpError 503 where that takes too long
 */
export type UntilShown = (unit: string, key: string, presence: Presence) => Promise<void>;

/**
 * Makes the function that handlers call before they refuse a change for what etcd has, which this server may not show
 * yet: who is told that there is no such unit is not shown it a moment later, unless somebody has put it in since.
 *
 * @param timeoutMs most milliseconds that it waits
 */
export function readYourRefusals(
  mirror: Pick<Mirror, "state" | "onChanges" | "waitFor">,
  timeoutMs: number,
): UntilShown {
  return async (unit, key, { isThere, revision }) => {
    const isShown = (): boolean => mirror.state.units.has(unit) === isThere;
    if (isShown()) return;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const forget = mirror.onChanges(() => {
      if (isShown()) resolve(true);
    });
    // A unit that was put in again meanwhile is never shown as it was in between.
    const wasShown = await Promise.race([promise, mirror.waitFor(key, revision, timeoutMs)]);
    forget();
    if (!wasShown) throw new HttpError(503, REFUSED_UNSEEN);
  };
}
