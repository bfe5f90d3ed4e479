import type { JournalEnd, JournalItem } from "@fleet/client";
import { entryExport, entryJson, entryLines } from "./entry-text.ts";
import type { Prefixes } from "./prefixes.ts";

/** What is printed of a piece of the journal, or said beside it as a line of its own. */
export type Printed = { readonly text: string | Uint8Array } | { readonly note: string };

/** How entries are printed. */
export interface PrinterOptions {
  readonly format: string;
  /** Null: lines begin with nothing. */
  readonly prefixes: Prefixes | null;
  readonly hasColors: boolean;
  /** True: messages in format cat have to be harmless. */
  readonly isTerminal: boolean;
  /** True: how each unit ended is said. */
  readonly isFollowed: boolean;
}

/** Prints a stream of the journal, and remembers whether all of it came. */
export class JournalPrinter {
  readonly #options: PrinterOptions;
  readonly #missing = new Set<string>();
  #isCut = false;
  /** The last words on each unit. */
  readonly #lastOf = new Map<string, string>();
  #entries = 0;

  constructor(options: PrinterOptions) {
    this.#options = options;
  }

  /** How many entries there were. */
  get entries(): number {
    return this.#entries;
  }

  /** False: a machine gave nothing, or not all, or the API left entries out. */
  get isWhole(): boolean {
    return this.#missing.size === 0 && !this.#isCut;
  }

  /** What a part of the stream comes to, in its order. */
  take(items: readonly JournalItem[]): readonly Printed[] {
    const printed: Printed[] = [];
    let texts: (string | Uint8Array)[] = [];
    const flush = (): void => {
      if (texts.length > 0) printed.push({ text: joined(texts) });
      texts = [];
    };
    for (const item of items) {
      if (item.kind === "entry") {
        this.#entries++;
        texts.push(this.#textOf(item));
        continue;
      }
      flush();
      printed.push(...this.#notesOf(item).map((note) => ({ note })));
    }
    flush();
    return printed;
  }

  #textOf({ entry }: Extract<JournalItem, { kind: "entry" }>): string | Uint8Array {
    const { format, prefixes, hasColors, isTerminal } = this.#options;
    if (format === "export") return entryExport(entry);
    if (format === "json" || format === "json-pretty") return entryJson(entry, format === "json-pretty");
    // What a program wrote reaches a pipe as it was written.
    if (format === "cat" && prefixes === null && !isTerminal) return `${entry.message}\n`;
    const prefix = prefixes?.of(entry) ?? "";
    return entryLines(entry, format, hasColors)
      .map((line) => `${prefix}${line}\n`)
      .join("");
  }

  #notesOf(item: Exclude<JournalItem, { kind: "entry" }>): readonly string[] {
    switch (item.kind) {
      case "note": {
        const { kind, text, unit, machineID = "" } = item.note;
        if (unit !== undefined) this.#lastOf.set(unit, text);
        if (kind === "machine-error" || kind === "machine-away") this.#missing.add(machineID);
        if (kind === "machine-back") this.#missing.delete(machineID);
        if (kind === "left-out") this.#isCut = true;
        return [`-- ${text} --`];
      }
      case "resumed":
        return [`-- the connection broke; it goes on at ${item.where} --`];
      case "end":
        return this.#options.isFollowed ? this.#endOf(item.end.units) : [];
    }
  }

  /** How units ended, where that was not their last note. */
  #endOf(units: JournalEnd["units"]): readonly string[] {
    return units
      .map(({ unit, how }) => ({ unit, text: `${unit} ${how}` }))
      .filter(({ unit, text }) => this.#lastOf.get(unit) !== text)
      .map(({ text }) => `-- ${text} --`);
  }
}

function joined(texts: readonly (string | Uint8Array)[]): string | Uint8Array {
  const isText = texts.every((text) => typeof text === "string");
  return isText ? texts.join("") : Buffer.concat(texts.map((text) => Buffer.from(text)));
}
