import type { JournalEntry } from "@fleet/client";
import { terminalLine } from "@fleet/domain/text";
import { hostOf } from "./entry-text.ts";

/** Colours that can be told apart on a dark and on a light ground; red and yellow say how grave a line is. */
const PALETTE = [36, 32, 35, 34, 96, 92, 95, 94];
/** No prefix is padded to more than this. */
const MOST_COLUMNS = 40;

/** What lines begin with: their unit, and their machine where the unit's lines come from several; each in its own colour. */
export class Prefixes {
  readonly #hasColors: boolean;
  readonly #onMany: Set<string>;
  readonly #machineOf = new Map<string, string>();
  readonly #colors = new Map<string, number>();
  #columns: number;

  /**
   * @param units names that are known to come
   * @param global those of them that run on several machines
   */
  constructor(units: readonly string[], global: ReadonlySet<string>, hasColors: boolean) {
    this.#hasColors = hasColors;
    this.#onMany = new Set(global);
    this.#columns = Math.min(MOST_COLUMNS, Math.max(0, ...units.map((unit) => unit.length)));
  }

  /** The prefix of an entry's lines. */
  of(entry: Pick<JournalEntry, "unit" | "machineID" | "hostname">): string {
    const { unit, machineID } = entry;
    const before = this.#machineOf.get(unit) ?? machineID;
    this.#machineOf.set(unit, machineID);
    if (before !== machineID) this.#onMany.add(unit);
    const text = terminalLine(this.#onMany.has(unit) ? `${unit} ${hostOf(entry)}` : unit);
    this.#columns = Math.min(MOST_COLUMNS, Math.max(this.#columns, text.length));
    return `${this.#painted(`${unit} ${machineID}`, `${text.padEnd(this.#columns)} |`)} `;
  }

  #painted(key: string, text: string): string {
    if (!this.#hasColors) return text;
    const index = this.#colors.get(key) ?? this.#colors.size;
    this.#colors.set(key, index);
    return `\u001b[${PALETTE[index % PALETTE.length]}m${text}\u001b[0m`;
  }
}
