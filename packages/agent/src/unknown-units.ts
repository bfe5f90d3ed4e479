import { type Change, RegistryError } from "@fleet/domain/cluster";
import type { Mirror, Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { UnitDirectory } from "./machine/unit-directory.ts";
import type { Wanted } from "./model/wanted.ts";

/** How often the registry is asked whether it knows units again that it did not know. */
const LOOK_AGAIN_MS = 5_000;
/** Looks, one after the other, that must find a unit known again: a restored registry may still be written to. */
const LOOKS = 2;
/** Names in a line of the log. */
const MOST_NAMES = 20;

/** What knowing about unknown units needs. */
export interface UnknownUnitsOptions {
  readonly machineID: string;
  readonly registry: Registry;
  /** The agent's part of the registry. */
  readonly mirror: Mirror;
  readonly directory: UnitDirectory;
  readonly log: BaseLogger;
  /** Names of the units that are on this machine. */
  readonly present: () => Iterable<string>;
  /** Hears of units that have become unknown, or known. */
  readonly onTouched: (name: string) => void;
}

/**
 * Units of this machine that the registry does not know, though nobody has destroyed them, as after etcd was restored from
 * a backup that is older than they are. They are left as they are until the registry knows them, or somebody destroys
 * them. A destruction is proved by the mirror's watch, or by the note that each leaves in etcd.
 */
export class UnknownUnits {
  readonly #options: UnknownUnitsOptions;
  /** Units that are unknown, each with the looks in a row that have found a record of it. */
  readonly #unknown = new Map<string, number>();
  /** Units that were taken away while this was watching. */
  readonly #destroyed = new Set<string>();
  /** Whether something may have happened that the watch did not tell: what is not wanted may be unknown. */
  #isInDoubt = true;
  /** The etcd revision at which all was known last; null: in another history of etcd. */
  #seenAt: number | null = 0;
  #restores = 0;
  #isFollowing = false;
  #lookAt = 0;

  constructor(options: UnknownUnitsOptions) {
    this.#options = options;
    const { registry, mirror } = options;
    const { history } = registry.etcd;
    const seen = options.directory.seen();
    if (seen !== null) {
      this.#seenAt = seen.revision;
      const known = history.position;
      // Another part of this process may have asked etcd already.
      if (known !== null && (known.clusterID !== seen.clusterID || known.revision < seen.revision)) this.#seenAt = null;
      history.resume(seen);
    }
    this.#restores = history.restores;
    for (const name of options.directory.unknown()) this.#unknown.set(name, 0);
    mirror.onChanges((changes, _revision, isGap) => this.#hear(changes, isGap));
    mirror.onReadAnew(() => {
      this.#isInDoubt = true;
    });
    void mirror.ready.then(() => {
      this.#isFollowing = true;
    });
  }

  has(name: string): boolean {
    return this.#unknown.has(name);
  }

  /** Whether etcd has not said yet which units are unknown: `leaveAlone` is to be asked once more, soon. */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /** When the registry is to be asked about unknown units again, by performance.now(); null: there is nothing to ask. */
  get lookAt(): number | null {
    return this.#unknown.size > 0 && !this.#isInDoubt ? this.#lookAt : null;
  }

  /**
   * Units that are to be left as they are, of those that are not wanted here. To be asked before any of them is stopped.
   *
   * @param wanted what the mirror, which has been read whole, wants of this machine
   */
  async leaveAlone(wanted: Wanted): Promise<ReadonlySet<string>> {
    const { registry, mirror } = this.#options;
    const { history } = registry.etcd;
    if (history.restores !== this.#restores) {
      this.#restores = history.restores;
      this.#seenAt = null;
      this.#isInDoubt = true;
    }
    const revision = mirror.revision;
    const present = new Set(this.#options.present());
    for (const name of this.#destroyed) if (!present.has(name)) this.#destroyed.delete(name);
    for (const name of this.#unknown.keys())
      if (!present.has(name) || wanted.units.has(name) || this.#isOrderedAway(name)) this.#setKnown(name);
    const doubtful = [...present].filter(
      (name) => !wanted.units.has(name) && !wanted.unclear.has(name) && !this.#isOrderedAway(name),
    );
    try {
      if (this.#isInDoubt) await this.#settle(doubtful);
      else await this.#lookAgain();
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      return new Set(this.#isInDoubt ? doubtful : this.#unknown.keys());
    }
    // What happened while this was asked is doubted anew.
    if (!this.#isInDoubt) this.#note(revision);
    return new Set(this.#isInDoubt ? doubtful : this.#unknown.keys());
  }

  /** Asks which units the registry does not know. */
  async #settle(doubtful: readonly string[]): Promise<void> {
    const { registry, log } = this.#options;
    this.#isInDoubt = false;
    let found: ReadonlySet<string>;
    try {
      found = doubtful.length === 0 ? new Set() : await registry.unknownUnits(doubtful, this.#seenAt);
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
    if (registry.etcd.history.restores !== this.#restores) {
      this.#isInDoubt = true;
      return;
    }
    for (const name of doubtful) if (!found.has(name)) this.#setKnown(name);
    const unknown = [...found].filter((name) => !this.#isOrderedAway(name));
    const added = unknown.filter((name) => !this.#unknown.has(name)).sort();
    for (const name of added) this.#setUnknown(name);
    if (added.length === 0) return;
    const names = added.slice(0, MOST_NAMES).join(" ");
    const what = `${unknown.length} units run here that the registry does not know (etcd was restored from a backup?): left running`;
    log.warn(`${what}; take them away with fleetctl destroy, or submit them again: ${names}`);
  }

  /** Asks whether the registry has come to know units that it did not. */
  async #lookAgain(): Promise<void> {
    const now = performance.now();
    if (this.#unknown.size === 0 || now < this.#lookAt) return;
    this.#lookAt = now + LOOK_AGAIN_MS;
    const records = await this.#options.registry.units([...this.#unknown.keys()]);
    for (const [name, looks] of this.#unknown) {
      const found = records.has(name) ? looks + 1 : 0;
      if (found >= LOOKS) this.#setKnown(name);
      else this.#unknown.set(name, found);
    }
  }

  /** Whether somebody has taken a unit away from this machine: the watch has said so, or the schedule does. */
  #isOrderedAway(name: string): boolean {
    const { mirror, machineID } = this.#options;
    return this.#destroyed.has(name) || mirror.state.schedule.get(machineID)?.get(name)?.desiredState === "inactive";
  }

  #hear(changes: readonly Change[], isGap: boolean): void {
    if (isGap) {
      this.#isInDoubt = true;
      return;
    }
    if (!this.#isFollowing) return;
    for (const change of changes) {
      const isOurs = change.kind === "schedule" && change.machineID === this.#options.machineID;
      if (!isOurs && change.kind !== "global") continue;
      if (change.after === null) this.#destroyed.add(change.name);
      else this.#destroyed.delete(change.name);
    }
  }

  #setUnknown(name: string): void {
    this.#unknown.set(name, 0);
    this.#options.directory.markUnknown(name, true);
    this.#options.onTouched(name);
  }

  #setKnown(name: string): void {
    if (!this.#unknown.delete(name)) return;
    this.#options.directory.markUnknown(name, false);
    this.#options.onTouched(name);
  }

  /** Takes note of how far all is known, for the next agent too. */
  #note(revision: number): void {
    const { clusterID } = this.#options.registry.etcd.history.position ?? {};
    if (clusterID === undefined || revision === this.#seenAt) return;
    this.#seenAt = revision;
    this.#options.directory.noteSeen({ clusterID, revision });
  }
}
