import { isOneshot, parseUnitFile, type Requirements, RequirementsCache } from "@fleet/domain/unit";
import type { Registry } from "@fleet/registry";

/** Texts that nobody needs any more are kept up to this many: a unit often comes back. */
const SPARE = 100;

/** The texts of the unit files that this machine has to do with; a text never changes under its hash. */
export class UnitTexts {
  readonly #registry: Registry;
  readonly #texts = new Map<string, string>();
  readonly #requirements = new RequirementsCache();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** The text of a unit file by its hash; undefined where it is not at hand. */
  get(hash: string): string | undefined {
    return this.#texts.get(hash);
  }

  /** What a unit's file asks for; null where it is not at hand, or can't be read. */
  requirements(name: string, hash: string): Requirements | null {
    const text = this.#texts.get(hash);
    return text === undefined ? null : this.#requirements.of(name, hash, text);
  }

  /** Whether a unit does its work once and ends; false where its file is not at hand, or can't be read. */
  isOneshot(name: string, hash: string): boolean {
    const text = this.#texts.get(hash);
    if (text === undefined || this.requirements(name, hash) === null) return false;
    return isOneshot(name, parseUnitFile(text));
  }

  /**
   * Fetches what is missing.
   *
   * @throws RegistryError where etcd can't be read
   */
  async fetch(hashes: readonly string[]): Promise<void> {
    const needed = new Set(hashes);
    const missing = [...needed].filter((hash) => !this.#texts.has(hash));
    if (missing.length > 0) {
      for (const [hash, text] of await this.#registry.unitFiles(missing)) this.#texts.set(hash, text);
    }
    if (this.#texts.size <= needed.size + SPARE) return;
    for (const hash of this.#texts.keys()) if (!needed.has(hash)) this.#texts.delete(hash);
  }
}
