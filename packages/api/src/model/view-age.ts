/**
 * Tells how old a view of the registry is: since when it is no longer known to be what etcd has. It never tells an age
 * that is too small. Times are in milliseconds of one clock.
 */
export class ViewAge {
  #confirmedAt: number | null = null;

  /**
   * Notes how the view is doing. The longer the pauses between notes, the older the view is told to be.
   *
   * @param isFollowing whether the view is kept up to date at this moment
   * @param answeredAt when etcd last answered
   */
  note(isFollowing: boolean, answeredAt: number): void {
    if (isFollowing) this.#confirmedAt = Math.max(this.#confirmedAt ?? answeredAt, answeredAt);
  }

  /** The age in whole seconds, rounded up; null: the view was never known to be up to date. */
  seconds(now: number): number | null {
    return this.#confirmedAt === null ? null : Math.ceil(Math.max(0, now - this.#confirmedAt) / 1000);
  }
}
