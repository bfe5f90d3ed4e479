import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Something that a run did or saw. */
export interface Entry {
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly kind: "call" | "fault" | "etcd" | "host" | "rest" | "broken";
  readonly text: string;
}

/** An invariant that did not hold. */
export interface Broken {
  /** Its number in docs/reliability.md. */
  readonly invariant: number;
  readonly text: string;
}

/** Everything of a run in its order, also in a file, line by line. */
export class History {
  readonly file: string;
  readonly entries: Entry[] = [];
  readonly broken: Broken[] = [];
  readonly #startedAt = performance.now();

  constructor(file: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
  }

  /** Adds to the file only. */
  append(kind: Entry["kind"], text: string): void {
    appendFileSync(this.file, `${JSON.stringify({ kind, text })}\n`);
  }

  add(kind: Entry["kind"], text: string): void {
    const entry = { at: Math.round(performance.now() - this.#startedAt), kind, text };
    this.entries.push(entry);
    appendFileSync(this.file, `${JSON.stringify(entry)}\n`);
  }

  break(invariant: number, text: string): void {
    this.broken.push({ invariant, text });
    this.add("broken", `invariant ${invariant}: ${text}`);
  }
}
