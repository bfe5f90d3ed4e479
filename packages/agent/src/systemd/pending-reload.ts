import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RETRY_MS = 5_000;

/** What a pending reload needs. */
export interface PendingReloadOptions {
  /** Where the unit files are. */
  readonly unitsFolder: string;
  /** Has systemd read its unit files anew. */
  readonly reload: () => Promise<unknown>;
  /** Whether the connection to systemd is gone for good. */
  readonly isLost: () => boolean;
}

/**
 * A daemon-reload that systemd still has to do. A file beside the unit files notes it, so that the next agent asks for it
 * where this one ends before, however it ends.
 */
export class PendingReload {
  readonly #options: PendingReloadOptions;
  readonly #path: string;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: PendingReloadOptions) {
    this.#options = options;
    this.#path = join(options.unitsFolder, ".needs-reload");
  }

  get isNoted(): boolean {
    return existsSync(this.#path);
  }

  /**
   * Does what may make a reload necessary. The reload is noted before, and stays noted where the work breaks off.
   *
   * @param work returns whether a reload is necessary
   * @returns the same
   */
  async during(work: () => Promise<boolean>): Promise<boolean> {
    const wasNoted = this.isNoted;
    this.note();
    const isNeeded = await work();
    if (!isNeeded && !wasNoted) this.#clear();
    return isNeeded;
  }

  /**
   * Has systemd reload.
   *
   * @throws SystemdError where it refuses: the reload stays noted
   */
  async reload(): Promise<void> {
    await this.#options.reload();
    this.#clear();
  }

  /**
   * Has systemd reload. Where it refuses, as it does while /run is full, this object asks again every five seconds, and
   * the caller does not wait for that: until the reload, systemd only remembers units that are gone. A reload that is
   * still noted when the connection is lost is asked for by the next connection.
   *
   * @throws SystemdError where the connection is lost
   */
  async reloadInTime(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.reload();
    } catch (error) {
      if (this.#options.isLost()) throw error;
      this.#retry = setTimeout(() => void this.reloadInTime().catch(() => undefined), RETRY_MS);
    }
  }

  /** Asks no more. */
  close(): void {
    clearTimeout(this.#retry);
  }

  /** Notes that systemd has to reload. */
  note(): void {
    try {
      writeFileSync(this.#path, "");
    } catch {
      // The disk may be full: the reload is then pending only as long as this agent lives.
    }
  }

  #clear(): void {
    rmSync(this.#path, { force: true });
  }
}
