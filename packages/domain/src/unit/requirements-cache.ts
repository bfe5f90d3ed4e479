import { UnitFileError } from "./errors.ts";
import { parseUnitFile } from "./file.ts";
import { type Requirements, readRequirements } from "./requirements.ts";

const MOST = 50_000;

/** What unit files ask for, each read once: whoever decides on units asks for it again and again. */
export class RequirementsCache {
  readonly #known = new Map<string, Requirements | null>();

  /**
   * What a unit asks for; null where its file can't be read.
   *
   * @param hash of the text
   */
  of(name: string, hash: string, text: string): Requirements | null {
    // Without a specifier the same file asks the same for every instance.
    const key = text.includes("%") ? `${hash} ${name}` : hash;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const requirements = read(name, text);
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(key, requirements);
    return requirements;
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
