import { backoff, parseUnitFile, type StateRecord, type SystemdStates } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { UnitDirectory } from "./machine/unit-directory.ts";
import { nextTasks, type PresentUnit, type Task, type WantedUnit } from "./model/next-task.ts";
import type { Systemd } from "./systemd/systemd.ts";

/** A unit that something went wrong with: what, and when it is tried again. */
interface Trouble {
  readonly hash: string;
  readonly message: string;
  readonly failures: number;
  readonly retryAt: number;
}

/** What the runner needs. */
export interface UnitRunnerOptions {
  readonly directory: UnitDirectory;
  readonly log: BaseLogger;
  /** The text of a unit file by its hash; undefined where it is not at hand. */
  readonly text: (hash: string) => string | undefined;
  /** Hears of units whose state may have changed. */
  readonly onTouched: (name: string) => void;
  /** Called when a task that was not waited for is done, so that the next step can be taken. */
  readonly onProgress: () => void;
}

/**
 * Leads the units of this machine to what is wanted, one step of each unit at a time. Steps of many units are taken
 * together; one that takes long or fails holds up no other unit.
 */
export class UnitRunner {
  readonly #options: UnitRunnerOptions;
  readonly #present = new Map<string, PresentUnit>();
  readonly #busy = new Set<string>();
  readonly #troubles = new Map<string, Trouble>();

  constructor(options: UnitRunnerOptions) {
    this.#options = options;
  }

  /** Takes over what is there already, from before the agent started. */
  async adopt(): Promise<void> {
    this.#present.clear();
    for (const unit of await this.#options.directory.read()) this.#present.set(unit.name, unit);
  }

  get present(): ReadonlyMap<string, PresentUnit> {
    return this.#present;
  }
  get isIdle(): boolean {
    return this.#busy.size === 0;
  }
  /** When the next unit that failed is to be tried again, by performance.now(); null: none. */
  get nextRetryAt(): number | null {
    let next: number | null = null;
    for (const { retryAt } of this.#troubles.values()) if (next === null || retryAt < next) next = retryAt;
    return next;
  }

  /**
   * Takes the next step of every unit that has one.
   *
   * @param unclear units to leave as they are
   * @returns whether anything was done, so that there may be more to do
   */
  async step(
    systemd: Systemd,
    wanted: ReadonlyMap<string, WantedUnit>,
    unclear: ReadonlySet<string>,
  ): Promise<boolean> {
    this.#forgetTroubles(wanted);
    const now = performance.now();
    const hold = (name: string): boolean =>
      unclear.has(name) || this.#busy.has(name) || (this.#troubles.get(name)?.retryAt ?? 0) > now;
    const tasks = nextTasks(wanted, this.#present, hold);
    if (tasks.length === 0) return false;
    for (const task of tasks)
      this.#options.log.debug({ task: task.kind, unit: task.name, reason: task.reason }, "task");
    const of = <K extends Task["kind"]>(kind: K): Extract<Task, { kind: K }>[] =>
      tasks.filter((task): task is Extract<Task, { kind: K }> => task.kind === kind);
    for (const { name } of of("stop")) this.#inBackground(name, () => this.#stop(systemd, name));
    await this.#unload(
      systemd,
      of("unload").map(({ name }) => name),
    );
    await this.#load(systemd, of("load"));
    for (const { name } of of("start")) this.#inBackground(name, () => this.#start(systemd, name));
    return true;
  }

  /** What to publish of a unit; null where this machine has nothing of it. */
  stateOf(name: string, systemd: SystemdStates | undefined): StateRecord | null {
    const unit = this.#present.get(name);
    const trouble = this.#troubles.get(name);
    const error = trouble?.message ?? null;
    if (unit === undefined) {
      if (trouble === undefined) return null;
      return { hash: trouble.hash, current: "inactive", systemd: NOTHING, error };
    }
    return { hash: unit.hash, current: unit.isLaunched ? "launched" : "loaded", systemd: systemd ?? NOTHING, error };
  }

  snapshot(): unknown {
    return {
      present: [...this.#present.values()],
      busy: [...this.#busy],
      troubles: [...this.#troubles].map(([name, { message, failures }]) => ({ name, message, failures })),
    };
  }

  #inBackground(name: string, work: () => Promise<void>): void {
    this.#busy.add(name);
    void this.#attempt(name, work).finally(() => {
      this.#busy.delete(name);
      this.#options.onProgress();
    });
  }

  async #stop(systemd: Systemd, name: string): Promise<void> {
    await systemd.stop(name);
    await this.#options.directory.markLaunched(name, false);
    this.#update(name, { isLaunched: false, isStopped: true });
  }

  async #start(systemd: Systemd, name: string): Promise<void> {
    // Marked first: after a crash in between, a unit that runs without its mark would be started twice.
    await this.#options.directory.markLaunched(name, true);
    try {
      await systemd.start(name);
      this.#update(name, { isLaunched: true, isStopped: false });
    } catch (error) {
      await this.#options.directory.markLaunched(name, false);
      throw error;
    }
  }

  async #unload(systemd: Systemd, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const failed = await systemd.unload(names);
    await Promise.all(
      names.map((name) =>
        this.#attempt(name, async () => {
          const error = failed.get(name);
          if (error !== undefined) {
            this.#update(name, { isStopped: false });
            throw error;
          }
          await this.#options.directory.remove(name);
          this.#present.delete(name);
        }),
      ),
    );
  }

  async #load(systemd: Systemd, tasks: readonly Extract<Task, { kind: "load" }>[]): Promise<void> {
    if (tasks.length === 0) return;
    const { directory, text } = this.#options;
    const written: { name: string; hash: string; path: string; hasInstall: boolean }[] = [];
    await Promise.all(
      tasks.map(({ name, hash }) =>
        this.#attempt(
          name,
          async () => {
            const content = text(hash);
            if (content === undefined) throw new Error(`the unit file ${hash} is not in the registry`);
            await directory.write(name, content);
            const hasInstall = parseUnitFile(content).some(({ section }) => section === "Install");
            written.push({ name, hash, path: directory.file(name), hasInstall });
          },
          hash,
        ),
      ),
    );
    const failed = await systemd.load(written);
    await Promise.all(
      written.map(({ name, hash }) =>
        this.#attempt(
          name,
          async () => {
            const error = failed.get(name);
            if (error !== undefined) {
              await directory.remove(name);
              throw error;
            }
            this.#present.set(name, { name, hash, isLaunched: false, isStopped: true });
          },
          hash,
        ),
      ),
    );
  }

  /** Does something with one unit; what goes wrong is kept with it, and stops nothing else. */
  async #attempt(name: string, work: () => Promise<void>, hash = this.#present.get(name)?.hash ?? ""): Promise<void> {
    try {
      await work();
      this.#troubles.delete(name);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failures = (this.#troubles.get(name)?.failures ?? 0) + 1;
      const pauseMs = backoff(failures) * 4;
      this.#troubles.set(name, { hash, message, failures, retryAt: performance.now() + pauseMs });
      this.#options.log.error({ unit: name, failures, retryInMs: Math.round(pauseMs) }, `unit ${name}: ${message}`);
    }
    this.#options.onTouched(name);
  }

  /** A unit that is wanted in another version, or no longer at all and is not here, starts with a clean slate. */
  #forgetTroubles(wanted: ReadonlyMap<string, WantedUnit>): void {
    for (const [name, { hash }] of this.#troubles) {
      const now = wanted.get(name);
      const isOver = now === undefined ? !this.#present.has(name) : now.hash !== hash && !this.#present.has(name);
      if (isOver) {
        this.#troubles.delete(name);
        this.#options.onTouched(name);
      }
    }
  }

  #update(name: string, change: Partial<PresentUnit>): void {
    const unit = this.#present.get(name);
    if (unit !== undefined) this.#present.set(name, { ...unit, ...change });
  }
}

const NOTHING: SystemdStates = { load: "not-found", active: "inactive", sub: "dead" };
