import { type KeyValue, type Op, withSection } from "@fleet/domain/cluster";
import type { Leadership, Mirror, Registry } from "@fleet/registry";

/** Records a transaction, and transactions a round: units that wait for a machine come in between. */
const MOST_RECORDS = 50;
const MOST_TXNS = 10;

/**
 * Adds the `[X-Fleet]` section of their files to records of units that a version before has written: a restart then needs no
 * text to know what units ask for. Nothing else of a record changes, also nothing that this version does not know.
 */
export class SectionWriter {
  readonly #registry: Registry;
  readonly #mirror: Pick<Mirror, "state" | "sectionless">;

  constructor(registry: Registry, mirror: Pick<Mirror, "state" | "sectionless">) {
    this.#registry = registry;
    this.#mirror = mirror;
  }

  /** Writes a bounded number of records. One that somebody changes meanwhile stays as it is, with others, until the next round. */
  async write(leadership: Leadership): Promise<void> {
    const { sectionless } = this.#mirror;
    for (let txns = 0; txns < MOST_TXNS && sectionless.size > 0; txns++) {
      const keys = [...sectionless.keys()].slice(0, MOST_RECORDS);
      const revisions = new Map(keys.map((key) => [key, sectionless.get(key)]));
      const { gets } = await this.#registry.etcd.txn(
        [],
        keys.map((key): Op => ({ get: key })),
      );
      const found = gets.filter((entry) => entry !== null);
      const records = found.filter(({ key, modRevision }) => revisions.get(key) === modRevision);
      const ops = records.flatMap((entry) => this.#completed(entry));
      // What has changed comes anew, by its event.
      for (const [key, revision] of revisions) if (sectionless.get(key) === revision) sectionless.delete(key);
      if (ops.length === 0) continue;
      const compares = records.map(({ key, modRevision }) => ({ key, modRevision }));
      let isWritten = false;
      try {
        isWritten = (await this.#registry.etcd.txn([leadership.fence, ...compares], ops)).succeeded;
      } finally {
        if (!isWritten)
          for (const { key, modRevision } of records) if (!sectionless.has(key)) sectionless.set(key, modRevision);
      }
      if (!isWritten) return;
    }
  }

  #completed({ key, value, modRevision }: KeyValue): Op[] {
    const parsed = this.#registry.keys.parse(key);
    const record = parsed?.kind === "unit" ? this.#mirror.state.units.get(parsed.name) : undefined;
    if (record?.section === undefined || record.modRevision !== modRevision) return [];
    return [{ put: key, value: withSection(value, record.section) }];
  }
}
