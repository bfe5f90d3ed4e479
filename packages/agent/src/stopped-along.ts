/**
 * Units that systemd has stopped along with another one, as it stops a `BindsTo=`, `Requires=` or `PartOf=` of a unit
 * that is stopped. They come up again with that other one, as after `systemctl restart`, where they are still wanted.
 */
export class StoppedAlong {
  readonly #followers = new Map<string, string>();

  /** Takes note that a unit's stop has taken others with it. */
  note(unit: string, followers: readonly string[]): void {
    for (const follower of followers) this.#followers.set(follower, unit);
  }

  /** A unit is stopped, started or gone for a reason of its own. */
  forget(follower: string): void {
    this.#followers.delete(follower);
  }

  /** A unit is up again: returns those that its stop had taken with it, by name, and forgets them. */
  cameBack(unit: string): readonly string[] {
    const followers = [...this.#followers].filter(([, other]) => other === unit).map(([follower]) => follower);
    for (const follower of followers) this.#followers.delete(follower);
    return followers.sort();
  }
}
