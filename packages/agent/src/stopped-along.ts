import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Units that systemd has stopped along with another one, as it stops a `BindsTo=`, `Requires=` or `PartOf=` of a unit
 * that is stopped. They come up again with that other one, as after `systemctl restart`, where they are still wanted. A
 * file for each holds the other's name: the agent may be restarted between the stop and the start.
 */
export class StoppedAlong {
  readonly #folder: string;
  readonly #followers = new Map<string, string>();

  /** @param folder where the files are, by followers' names; made where it is needed */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes over what an agent before this one has noted. */
  read(): void {
    this.#followers.clear();
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder))
      this.#followers.set(name, readFileSync(join(this.#folder, name), "utf8"));
  }

  /** Takes note that a unit's stop takes others with it. */
  note(unit: string, followers: readonly string[]): void {
    if (followers.length > 0) mkdirSync(this.#folder, { recursive: true });
    for (const follower of followers) {
      writeFileSync(join(this.#folder, follower), unit);
      this.#followers.set(follower, unit);
    }
  }

  /** A unit is stopped, started or gone for a reason of its own. */
  forget(follower: string): void {
    if (this.#followers.delete(follower)) rmSync(join(this.#folder, follower), { force: true });
  }

  /** Names of the units that the stop of a unit has taken with it, sorted. */
  of(unit: string): readonly string[] {
    return [...this.#followers]
      .filter(([, other]) => other === unit)
      .map(([follower]) => follower)
      .sort();
  }
}
