import { BoundedCache } from "../cache/bounded-cache.ts";
import { UnitFileError } from "./errors.ts";
import { parseUnitFile } from "./file.ts";
import { type Requirements, readRequirements } from "./requirements.ts";

const MOST = 50_000;

/** What unit files ask for, each read once: whoever decides on units asks for it again and again. */
export class RequirementsCache {
  readonly #known = new BoundedCache<string, Requirements | null>(MOST);

  /**
   * What a unit asks for; null where its file can't be read.
   *
   * @param hash of the text
   */
  of(name: string, hash: string, text: string): Requirements | null {
    // Without a specifier the same file asks the same for every instance.
    const key = text.includes("%") ? `${hash} ${name}` : hash;
    return this.#known.getOrMake(key, () => read(name, text));
  }
}

function read(name: string, text: string): Requirements | null {
  try {
    return readRequirements(name, parseUnitFile(text));
  } catch (error) {
    if (error instanceof UnitFileError) return null;
    throw error;
  }
}
