import { BoundedCache } from "@fleet/domain/cache";
import {
  type KeyRange,
  type Keys,
  type KeyValue,
  MOST_SECTION,
  sectionlessFile,
  withSection,
} from "@fleet/domain/cluster";
import { fleetSectionOf, parseUnitFile, UnitFileError } from "@fleet/domain/unit";
import type { Etcd, WatchBatch } from "./etcd.ts";
import { isIn } from "./mirror-check.ts";
import { UnitFileReader } from "./unit-files.ts";

/** Sections that are kept: a record of a version before comes again each time it changes. */
const MOST_KEPT = 50_000;

/**
 * Completes records of units that do not tell the `[X-Fleet]` section of their file, as versions before have written them,
 * out of the file itself. So a mirror that holds no files knows of every unit what it asks for.
 */
export class MissingSections {
  readonly #files: UnitFileReader;
  readonly #folder: string;
  /** Of a mirror that holds files nothing is missing, nor of one without units. */
  readonly #isNeeded: boolean;
  #isFailing = false;
  /** Keys of records that were completed, with the revisions that wrote them, but for those with too long a section. */
  readonly completed = new Map<string, number>();
  /** By the hash of the file; null: it can't be read. */
  readonly #known = new BoundedCache<string, string | null>(MOST_KEPT);

  constructor(etcd: Etcd, keys: Keys, ranges: readonly KeyRange[]) {
    this.#files = new UnitFileReader(etcd, keys);
    this.#folder = keys.unit("");
    const holds = (key: string): boolean => ranges.some((range) => isIn(range, key));
    this.#isNeeded = holds(this.#folder) && !holds(keys.unitFile(""));
  }

  /** Whether files could not be read the last time. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Whether a record tells no section, and its file may. */
  isMissingIn({ events }: WatchBatch): boolean {
    return events.some((event) => event.kind === "put" && this.#fileOf(event.keyValue) !== null);
  }

  /**
   * The keys with what was missing. A record stays as it is whose file is not there or can't be read.
   *
   * @throws RegistryError where etcd can't be read
   */
  async complete(keyValues: readonly KeyValue[]): Promise<readonly KeyValue[]> {
    const files = keyValues.map((keyValue) => this.#fileOf(keyValue));
    const missing = new Set(files.filter((hash) => hash !== null));
    if (missing.size === 0) return keyValues;
    const sections = await this.#sectionsOf(missing);
    return keyValues.map((keyValue, index) => {
      const section = sections.get(files[index] ?? "") ?? null;
      if (section === null) return keyValue;
      if (section.length <= MOST_SECTION) this.completed.set(keyValue.key, keyValue.modRevision);
      return { ...keyValue, value: withSection(keyValue.value, section) };
    });
  }

  /** The same of what a watch tells. */
  async completeBatch(batch: WatchBatch): Promise<WatchBatch> {
    const puts = batch.events.flatMap((event) => (event.kind === "put" ? [event.keyValue] : []));
    const complete = (await this.complete(puts)).values();
    const events = batch.events.map((event) =>
      event.kind === "put" ? { ...event, keyValue: complete.next().value ?? event.keyValue } : event,
    );
    return { ...batch, events };
  }

  #fileOf({ key, value }: KeyValue): string | null {
    return this.#isNeeded && key.startsWith(this.#folder) ? sectionlessFile(value) : null;
  }

  async #sectionsOf(hashes: ReadonlySet<string>): Promise<ReadonlyMap<string, string | null>> {
    const sections = new Map<string, string | null>();
    const unknown = [...hashes].filter((hash) => {
      const known = this.#known.get(hash);
      if (known !== undefined) sections.set(hash, known);
      return known === undefined;
    });
    this.#isFailing = unknown.length > 0;
    const texts = await this.#files.read(unknown);
    this.#isFailing = false;
    for (const [hash, text] of texts) {
      const section = sectionIn(text);
      this.#known.set(hash, section);
      sections.set(hash, section);
    }
    return sections;
  }
}

function sectionIn(text: string): string | null {
  try {
    return fleetSectionOf(parseUnitFile(text));
  } catch (error) {
    if (error instanceof UnitFileError) return null;
    throw error;
  }
}

/** What a watch tells, taken in in its order, and each batch only once nothing is missing in it. */
export class CompletedBatches {
  /** Rejected with the RegistryError for which a batch could not be completed: it and those behind it were not taken in. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #sections: MissingSections;
  readonly #take: (batch: WatchBatch) => void;
  readonly #signal: AbortSignal;
  /** Those that wait; null: none does. */
  #waiting: Promise<void> | null = null;

  /** @param signal once it is aborted nothing more is taken in */
  constructor(sections: MissingSections, signal: AbortSignal, take: (batch: WatchBatch) => void) {
    this.#sections = sections;
    this.#signal = signal;
    this.#take = take;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    promise.catch(() => undefined);
  }

  add(batch: WatchBatch): void {
    if (this.#waiting === null && !this.#sections.isMissingIn(batch)) return this.#take(batch);
    const waiting = (this.#waiting ?? Promise.resolve()).then(async () => {
      const completed = await this.#sections.completeBatch(batch);
      if (!this.#signal.aborted) this.#take(completed);
      if (this.#waiting === waiting) this.#waiting = null;
    });
    this.#waiting = waiting;
    waiting.catch(this.#fail);
  }
}
