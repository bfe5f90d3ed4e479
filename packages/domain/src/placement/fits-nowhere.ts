import type { Requirements } from "../unit/requirements.ts";

/**
 * Requirements that were found to fit no machine, until something changes that may make room: units with the same
 * requirements are then not tried on every machine again.
 */
export class FitsNowhere {
  /** Rises whenever all that is noted is void. */
  #version = 0;
  readonly #noted = new WeakMap<Requirements, { readonly globs: string; readonly version: number }>();

  /** Forgets all: a machine, a unit or its place has changed. */
  clear(): void {
    this.#version++;
  }

  /** @param globs those that match the unit's name, which units with the same requirements need not share */
  has(requirements: Requirements, globs: string): boolean {
    const noted = this.#noted.get(requirements);
    return noted?.version === this.#version && noted.globs === globs;
  }

  note(requirements: Requirements, globs: string): void {
    this.#noted.set(requirements, { globs, version: this.#version });
  }
}
