import { RegistryError } from "@fleet/domain/cluster";
import { changesBetween, type Mirror, type Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { ChangeBatch, EventLog } from "../model/event-log.ts";
import { EventFile } from "./event-file.ts";

/** How long readers wait while an API that has started asks etcd for what it has missed. */
const RESUME_MS = 10_000;
/** More revisions than this are not gone through: that is what an API has missed that was away for long. */
const MOST_REVISIONS = 100_000;

/** What is recorded, and where. */
export interface RecorderDeps {
  readonly registry: Registry;
  readonly mirror: Pick<Mirror, "ready" | "revision">;
  readonly log: EventLog;
  /** Where the log outlives the process; null: nowhere. */
  readonly directory: string | null;
  /** False: etcd is not to be watched. */
  readonly mayWatch: boolean;
  readonly logger: BaseLogger;
  readonly signal: AbortSignal;
}

type Past = NonNullable<Awaited<ReturnType<typeof EventFile.read>>>;

/**
 * Has the log of events go on where the API before has ended: with the events of its file, then with those that etcd's
 * history tells of the time in between, then with what the mirror sees. What can't be known is a gap in the log.
 */
export class EventRecorder {
  /** Fulfilled once the log is there to be read, or the recorder is stopped. */
  readonly opened: Promise<void>;
  readonly #deps: RecorderDeps;
  readonly #file: EventFile | null;
  /** What comes while the past is looked for; null: it goes right to the log. */
  #waiting: ChangeBatch[] | null = null;
  #isOpen = false;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    const { directory, log, logger, registry } = deps;
    if (directory === null) logger.info("events are kept in memory only: systemd has given no StateDirectory=");
    this.#file =
      directory === null
        ? null
        : new EventFile({
            directory,
            kept: () => log.kept(new Date()),
            clusterID: () => registry.etcd.history.position?.clusterID ?? "",
            onTrouble: (error) =>
              logger.warn(
                { err: error },
                "events can't be kept beyond a restart: the state directory can't be written",
              ),
          });
    this.opened = this.#open();
  }

  /** Takes in what the mirror has seen. */
  take(batch: ChangeBatch): void {
    if (this.#waiting !== null) this.#waiting.push(batch);
    else if (this.#isOpen) this.#append(batch);
  }

  /** To be called after the mirror has ended. */
  async stop(): Promise<void> {
    await this.opened;
    if (!this.#isOpen) return;
    this.#deps.log.reach(this.#deps.mirror.revision);
    await this.#file?.close(this.#deps.log.revision, new Date());
  }

  async #open(): Promise<void> {
    const { mirror, log, signal } = this.#deps;
    const stopped = Promise.withResolvers<null>();
    signal.addEventListener("abort", () => stopped.resolve(null), { once: true });
    // Of the first list nothing is an event: what comes after it is.
    const listed = mirror.ready.then(() => {
      this.#waiting = [];
      return mirror.revision;
    });
    const past = await this.#read();
    const now = await Promise.race([listed, stopped.promise]);
    if (now === null) return;
    const usable = past === null ? null : this.#ofThisHistory(past, now);
    const missed = usable === null ? null : await this.#missedSince(usable, now);
    if (signal.aborted) return;
    log.start(usable ?? { since: now, revision: now, entries: [] });
    if (missed !== null) log.append(missed);
    for (const batch of this.#waiting ?? []) log.append(batch);
    this.#waiting = null;
    this.#isOpen = true;
    this.#file?.writeAnew();
  }

  #append(batch: ChangeBatch): void {
    const { log } = this.#deps;
    const added = log.append(batch);
    if (batch.missed?.isOtherHistory === true) this.#file?.writeAnew();
    else this.#file?.append(log.revision, batch.time, added);
  }

  async #read(): Promise<Past | null> {
    const { directory, logger } = this.#deps;
    try {
      return directory === null ? null : await EventFile.read(directory);
    } catch (error) {
      logger.warn({ err: error }, "the events of before this start can't be read");
      return null;
    }
  }

  #ofThisHistory(past: Past, now: number): Past | null {
    if (past.clusterID === this.#deps.registry.etcd.history.position?.clusterID && past.revision <= now) return past;
    this.#deps.logger.warn("the events of before this start are dropped: etcd was restored from a backup or replaced");
    return null;
  }

  /** What has happened since the API before ended; null: nothing. */
  async #missedSince({ revision: from, at }: Past, to: number): Promise<ChangeBatch | null> {
    if (from === to) return null;
    const { registry, mayWatch, logger, signal } = this.#deps;
    const batch = { revision: to, time: new Date(), notBefore: at };
    try {
      if (!mayWatch || to - from > MOST_REVISIONS) throw new RegistryError("compacted", "too much has happened since");
      const part = { etcd: registry.etcd, keys: registry.keys, ranges: registry.keys.apiRanges() };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(RESUME_MS)]);
      return { ...batch, changes: await changesBetween(part, from, to, limit) };
    } catch (error) {
      const message = `events between ${at} and ${batch.time.toISOString()} were missed: this API was not running, and etcd no longer tells them`;
      if (!signal.aborted) logger.warn({ err: error }, message);
      return { ...batch, changes: [], missed: { message, isOtherHistory: false } };
    }
  }
}
