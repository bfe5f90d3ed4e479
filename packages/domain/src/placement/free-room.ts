import type { Requirements } from "../unit/requirements.ts";

/**
 * Whether room may have come free since a unit fitted nowhere: what is asked for again and again is then not looked for on
 * every machine each time.
 */
export class FreeRoom {
  /** Rises whenever room may have come free. */
  #version = 0;
  readonly #fitsNowhere = new WeakMap<Requirements, { readonly globs: string; readonly version: number }>();

  /** What fitted nowhere may fit somewhere now. */
  changed(): void {
    this.#version++;
  }

  /** @param globs those that match the unit's name, which units with the same requirements need not share */
  isNone(requirements: Requirements, globs: string): boolean {
    const known = this.#fitsNowhere.get(requirements);
    return known?.version === this.#version && known.globs === globs;
  }

  noteNone(requirements: Requirements, globs: string): void {
    this.#fitsNowhere.set(requirements, { globs, version: this.#version });
  }
}
