/** Most bytes of one entry: a longer one is left out. */
const MOST_LINE = 1024 * 1024;
const LINE_FEED = 0x0a;

/** Puts lines together of chunks that end anywhere. */
export class JournalLines {
  #parts: Buffer[] = [];
  #size = 0;
  #isTooLong = false;
  /** How many lines were left out, because they are too long. */
  leftOut = 0;

  /** The lines that end in a chunk. */
  take(chunk: Uint8Array): readonly string[] {
    const lines: string[] = [];
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
      const line = this.#end(bytes.subarray(from, end));
      if (line !== null && line !== "") lines.push(line);
      from = end + 1;
    }
    this.#keep(bytes.subarray(from));
    return lines;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#size += rest.length;
    if (this.#size > MOST_LINE) {
      this.#isTooLong = true;
      this.#parts = [];
    } else this.#parts.push(rest);
  }

  #end(last: Buffer): string | null {
    const isTooLong = this.#isTooLong || this.#size + last.length > MOST_LINE;
    const line = this.#parts.length === 0 ? last.toString() : Buffer.concat([...this.#parts, last]).toString();
    this.#parts = [];
    this.#size = 0;
    this.#isTooLong = false;
    if (isTooLong) this.leftOut++;
    return isTooLong ? null : line;
  }
}
