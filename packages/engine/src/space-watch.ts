import { setTimeout as sleep } from "node:timers/promises";
import type { EtcdSpace } from "@fleet/registry";
import type { BaseLogger } from "pino";

const LOOK_MS = 60_000;
/** The part of its quota from which on a database is said to fill up. */
const NEARLY_FULL = 0.8;

/** What a watch of etcd's space needs. */
export interface SpaceWatchOptions {
  /** What each member of etcd says of its space; those that do not say are left out. */
  readonly read: () => Promise<readonly EtcdSpace[]>;
  /** Whether it is this engine that says so: one of them is enough. */
  readonly isLeading: () => boolean;
  readonly log: BaseLogger;
  /** Hears of each look. */
  readonly onSpace: (space: readonly EtcdSpace[]) => void;
}

/**
 * Says where a member of etcd is nearly full, or has no quota: once, and again when that comes back. A full etcd takes no
 * writes, and fleet can then change nothing.
 */
export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  /** Of each member what was said last; null: all is well. */
  readonly #said = new Map<string, string | null>();

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted && this.#options.isLeading()) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { read, log, onSpace } = this.#options;
    const found = await read();
    onSpace(found);
    for (const space of found) {
      const trouble = troubleOf(space);
      if (trouble !== null && trouble !== this.#said.get(space.server)) log.warn(space, textOf(space, trouble));
      this.#said.set(space.server, trouble);
    }
  }
}

type Trouble = "no quota" | "nearly full";

function troubleOf({ bytes, quotaBytes }: EtcdSpace): Trouble | null {
  if (quotaBytes === null) return "no quota";
  return bytes >= NEARLY_FULL * quotaBytes ? "nearly full" : null;
}

function textOf({ server, bytes, quotaBytes }: EtcdSpace, trouble: Trouble): string {
  if (trouble === "no quota")
    return `etcd at ${server} has no quota: its database grows until the disk is full. Start it with --quota-backend-bytes=2147483648`;
  const percent = Math.floor((100 * bytes) / (quotaBytes ?? bytes));
  return (
    `the database of etcd at ${server} has ${megabytes(bytes)} MB, ${percent} % of its quota of ${megabytes(quotaBytes ?? 0)} MB: ` +
    "once it is full etcd takes no writes. Run etcdctl compaction and defrag, see --auto-compaction-retention, or raise --quota-backend-bytes"
  );
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
