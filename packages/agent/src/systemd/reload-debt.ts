import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether systemd has yet to look at its files anew: a file beside the unit files, so that an agent that ends, however it
 * does, leaves the debt to the next one.
 */
export class ReloadDebt {
  readonly #path: string;

  constructor(unitsFolder: string) {
    this.#path = join(unitsFolder, ".needs-reload");
  }

  get isOwed(): boolean {
    return existsSync(this.#path);
  }

  note(): void {
    try {
      writeFileSync(this.#path, "");
    } catch {
      // A full disk, say: without the note the debt lasts as long as this agent.
    }
  }

  settle(): void {
    rmSync(this.#path, { force: true });
  }

  /**
   * Does what may make systemd's view of its files an old one.
   *
   * @param work returns whether it has
   * @returns the same; the debt is noted then, as it is where the work breaks off
   */
  async during(work: () => Promise<boolean>): Promise<boolean> {
    const wasOwed = this.isOwed;
    this.note();
    const needsReload = await work();
    if (!needsReload && !wasOwed) this.settle();
    return needsReload;
  }
}
