/** What one character of a name is compared with: any, one, or a set of them. */
export type Atom =
  | { readonly kind: "any" }
  | { readonly kind: "character"; readonly code: number }
  | {
      readonly kind: "set";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [low: number, high: number])[];
    };

const SLASH = 47;

function accepts(atom: Atom, code: number): boolean {
  switch (atom.kind) {
    case "character":
      return atom.code === code;
    case "any":
      return code !== SLASH;
    case "set":
      return atom.ranges.some(([low, high]) => low <= code && code <= high) !== atom.negated;
  }
}

/**
 * A part of a glob without a star. Finding it takes one step for each character of a name and each 32 of its own, also
 * where it nearly matches at every place: the places at which it may still match are bits of a word (Baeza-Yates and
 * Gonnet's shift-and).
 */
export class GlobSegment {
  readonly length: number;
  readonly #atoms: readonly Atom[];
  /** Its text, where it has plain characters only; null: it has others. */
  readonly #literal: string | null;
  /** For each character that names have had, which atoms accept it, a bit each. */
  readonly #accepting = new Map<number, Uint32Array>();

  constructor(atoms: readonly Atom[]) {
    this.#atoms = atoms;
    this.length = atoms.length;
    const isLiteral = atoms.every(({ kind }) => kind === "character");
    this.#literal = isLiteral
      ? atoms.map((atom) => ("code" in atom ? String.fromCharCode(atom.code) : "")).join("")
      : null;
  }

  /** Whether it is at a place of a text. */
  isAt(text: string, at: number): boolean {
    if (this.#literal !== null) return text.startsWith(this.#literal, at);
    return this.#atoms.every((atom, index) => at + index < text.length && accepts(atom, text.charCodeAt(at + index)));
  }

  /** The first place from `start` on at which it is, and ends no later than `end`; negative: there is none. */
  find(text: string, start: number, end: number): number {
    if (this.#literal === null) return this.findEach(text, start, end);
    const at = text.indexOf(this.#literal, start);
    return at >= 0 && at + this.length <= end ? at : -1;
  }

  /** The same, character by character. */
  findEach(text: Pick<string, "charCodeAt">, start: number, end: number): number {
    const words = (this.length + 31) >>> 5;
    const places = new Uint32Array(words);
    const last = (this.length - 1) & 31;
    for (let at = start; at < end; at++) {
      const accepting = this.#acceptingOf(text.charCodeAt(at));
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = places[word] ?? 0;
        places[word] = ((before << 1) | carry) & (accepting[word] ?? 0);
        carry = before >>> 31;
      }
      if ((((places[words - 1] ?? 0) >>> last) & 1) === 1) return at - this.length + 1;
    }
    return -1;
  }

  #acceptingOf(code: number): Uint32Array {
    let bits = this.#accepting.get(code);
    if (bits !== undefined) return bits;
    bits = new Uint32Array((this.length + 31) >>> 5);
    for (const [index, atom] of this.#atoms.entries()) {
      if (accepts(atom, code)) bits[index >>> 5] = (bits[index >>> 5] ?? 0) | (1 << (index & 31));
    }
    this.#accepting.set(code, bits);
    return bits;
  }
}
