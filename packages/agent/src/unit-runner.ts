import type { StateRecord } from "@fleet/domain/cluster";
import { parseUnitFile, type RunResult, type SystemdStates } from "@fleet/domain/unit";
import type { BaseLogger } from "pino";
import type { AgentFailpoint } from "./failpoint.ts";
import { JobSlots } from "./job-slots.ts";
import { Launches } from "./launches.ts";
import type { UnitDirectory } from "./machine/unit-directory.ts";
import { installOf } from "./model/install.ts";
import { nextTask, nextTasks, type PresentUnit, type Task, type WantedUnit } from "./model/next-task.ts";
import { reportedState } from "./model/reported-state.ts";
import { RetryBook } from "./retry-book.ts";
import type { StartJob, Systemd, UnitToLoad } from "./systemd/systemd.ts";

/** A unit that is missing in systemd is loaded anew no more often than this. */
const MISSING_AGAIN_MS = 10_000;

/** What the runner needs. */
export interface UnitRunnerOptions {
  readonly directory: UnitDirectory;
  readonly log: BaseLogger;
  /** The text of a unit file by its hash; undefined where it is not at hand. */
  readonly text: (hash: string) => string | undefined;
  /** Hears of units whose state may have changed. */
  readonly onTouched: (name: string) => void;
  /** Whether the registry does not know a unit of this machine, which nobody has destroyed. */
  readonly isUnknown: (name: string) => boolean;
  /** Whether units that must not outlive the machine's lease may be started: something will stop them in time. */
  readonly isWatchdogArmed: () => boolean;
  /** What is to be told of those that wait for that, as one sentence; null: nothing. */
  readonly watchdogTrouble: () => string | null;
  /** Whether etcd itself, not a copy that may be behind, has the unit on this machine. */
  readonly isStillOurs: (name: string) => Promise<boolean>;
  /** Takes back the note that a unit has ended, before it is started; rejects where etcd does not take that. */
  readonly takeBackEnded: (name: string) => Promise<void>;
  /** Called at each point: it may not return. */
  readonly failpoint: (point: AgentFailpoint) => void;
  /** Called when a task that was not waited for is done, and the unit has a next step. */
  readonly onProgress: () => void;
}

/**
 * Leads the units of this machine to what is wanted, one step of each unit at a time. Steps of many units are taken
 * together; one that takes long or fails holds up no other unit.
 */
export class UnitRunner {
  readonly #options: UnitRunnerOptions;
  /** Units that are marked for the watchdog. */
  readonly #marked = new Set<string>();
  readonly #present = new Map<string, PresentUnit>();
  readonly #busy = new Set<string>();
  readonly #retries = new RetryBook();
  readonly #slots = new JobSlots();
  /** What becomes of units that were started. */
  readonly launches: Launches;
  /** When a unit was found to be missing in systemd, by performance.now(), for as long as it is not loaded anew again. */
  readonly #foundMissing = new Map<string, number>();
  #wanted: ReadonlyMap<string, WantedUnit> = new Map();
  #unclear: ReadonlySet<string> = new Set();

  constructor(options: UnitRunnerOptions) {
    this.#options = options;
    const { directory, log } = options;
    this.launches = new Launches({
      directory,
      log,
      isIdle: (name) => this.#present.get(name)?.isLaunched === true && !this.#busy.has(name),
      onUndone: (name, error) => this.#undone(name, error),
      onWorked: (name) => this.#retries.forget(name),
      onSettled: (name, error) => this.#settled(name, error),
    });
  }

  /** Takes over what is there already, from before the agent started. */
  adopt(): void {
    this.#present.clear();
    for (const unit of this.#options.directory.read()) this.#present.set(unit.name, unit);
    this.launches.adopt();
  }

  /** Follows what is under way in systemd, on a new connection to it. */
  async resume(systemd: Systemd): Promise<void> {
    const launched = [...this.#present.values()].filter(({ isLaunched }) => isLaunched).map(({ name }) => name);
    await this.launches.resume(systemd, launched);
  }

  get present(): ReadonlyMap<string, PresentUnit> {
    return this.#present;
  }
  get isIdle(): boolean {
    return this.#busy.size === 0;
  }
  /** When the next unit that failed is to be tried again, by performance.now(); null: none that is not busy. */
  get nextRetryAt(): number | null {
    return this.#retries.nextRetryAt((name) => this.#busy.has(name) || this.#unclear.has(name));
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
    this.#wanted = wanted;
    this.#unclear = unclear;
    const isArmed = this.#options.isWatchdogArmed();
    // A watchdog that goes by a deadline of long ago stops at once what is marked for it.
    const mayMark = isArmed || this.#options.watchdogTrouble() !== null;
    // An agent before this one may have left out those that were only loaded.
    for (const { name, stopsOnPartition } of wanted.values())
      if (mayMark && stopsOnPartition && !this.#marked.has(name) && this.#present.get(name)?.isUnfinished === false)
        this.#mark(name);
    this.#forgetFailures();
    const now = performance.now();
    const hold = (name: string): boolean =>
      unclear.has(name) || this.#busy.has(name) || this.#retries.isWaiting(name, now);
    // One that is only loaded may be started by others, as by its timer: it is there once it is marked.
    const mayDo = ({ kind, name }: Task): boolean =>
      wanted.get(name)?.stopsOnPartition !== true || (kind === "start" ? isArmed : kind !== "load" || mayMark);
    const tasks = nextTasks(wanted, this.#present, hold).filter(mayDo);
    if (tasks.length === 0) return false;
    for (const { kind, name, reason } of tasks) this.#options.log.debug({ task: kind, unit: name, reason }, "task");
    const of = <K extends Task["kind"]>(kind: K): Extract<Task, { kind: K }>[] =>
      tasks.filter((task): task is Extract<Task, { kind: K }> => task.kind === kind);
    const unloads = of("unload").map(({ name }) => name);
    for (const { name } of of("stop")) this.#inBackground("stop", name, () => this.#stop(systemd, name));
    await this.#unload(systemd, unloads);
    await this.#load(systemd, of("load"));
    for (const { name } of of("start")) this.#inBackground("start", name, () => this.#start(systemd, name));
    return true;
  }

  /** Takes note of units that the watchdog has stopped: what is wanted of them is done anew. */
  noticeStoppedByWatchdog(): void {
    for (const [name, { isLaunched }] of this.#present) {
      if (!isLaunched || this.#busy.has(name) || this.#options.directory.isMarkedLaunched(name)) continue;
      this.#options.log.warn({ unit: name }, `unit ${name} was stopped while this machine could not renew its lease`);
      this.#update(name, { isLaunched: false });
      this.#options.onTouched(name);
    }
  }

  /**
   * Takes note of units that systemd does not find though their files are here, as after a crash between writing a file
   * and linking it, or where somebody has removed the link: they are loaded anew. What was started is left alone: it was
   * stopped by hand.
   *
   * @param states what systemd says of units
   * @returns whether there are any
   */
  noticeMissing(states: ReadonlyMap<string, SystemdStates>): boolean {
    let isAny = false;
    for (const [name, state] of states) if (!this.#busy.has(name) && this.#noticeMissing(name, state)) isAny = true;
    return isAny;
  }

  #noticeMissing(name: string, { load, active }: SystemdStates): boolean {
    const now = performance.now();
    for (const [found, at] of this.#foundMissing) if (at < now - MISSING_AGAIN_MS) this.#foundMissing.delete(found);
    const unit = this.#present.get(name);
    if (unit === undefined || load !== "not-found" || active !== "inactive") return false;
    if (unit.isLaunched || unit.isUnfinished || this.#foundMissing.has(name)) return false;
    this.#foundMissing.set(name, now);
    this.#options.log.warn({ unit: name }, `systemd does not find unit ${name} any more: it is loaded anew`);
    this.#update(name, { isUnfinished: true, isStopped: true });
    return true;
  }

  /**
   * What to publish of a unit; null where this machine has nothing of it.
   *
   * @param run how its last run ended; null: nothing to tell
   */
  stateOf(name: string, systemd: SystemdStates | undefined, run: RunResult | null = null): StateRecord | null {
    // Between the end of a job and the look at what came of it a unit is still on its way.
    const isOnItsWay = this.launches.isStarting(name) && systemd?.active === "inactive";
    const states = isOnItsWay ? { ...systemd, active: "activating", sub: "waiting" } : systemd;
    const unit = this.#present.get(name);
    const reason = unit === undefined ? null : this.#reasonDown(unit, systemd);
    const waits = unit === undefined || reason === null ? undefined : { hash: unit.hash, message: reason };
    const state = reportedState(unit, this.#retries.of(name) ?? waits, states, run);
    return state !== null && this.#options.isUnknown(name) ? { ...state, unknown: true } : state;
  }

  /** Why a unit is down with which nothing went wrong; null: it is not, or its states say why. */
  #reasonDown({ name, isLaunched }: PresentUnit, systemd: SystemdStates | undefined): string | null {
    if (isLaunched) return systemd?.active === "inactive" ? this.launches.doubtOf(name) : null;
    return this.#wanted.get(name)?.stopsOnPartition === true ? this.#options.watchdogTrouble() : null;
  }

  snapshot(): unknown {
    return {
      present: [...this.#present.values()],
      busy: [...this.#busy],
      troubles: [...this.#retries.entries()].map(([name, { message, failures }]) => ({ name, message, failures })),
    };
  }

  #inBackground(kind: Task["kind"], name: string, work: () => Promise<void>): void {
    this.#busy.add(name);
    // By the time it has a slot something else may be wanted.
    const stillWanted = async (): Promise<void> => {
      if (this.#nextTask(name)?.kind === kind && !this.#unclear.has(name)) await this.#attempt(name, work);
    };
    void this.#slots.run(stillWanted).finally(() => {
      this.#busy.delete(name);
      if (this.#hasMore(name)) this.#options.onProgress();
    });
  }

  /** Whether a unit has a next step, or something to try again. Most have none after a start: no round looks for one. */
  #hasMore(name: string): boolean {
    return this.#retries.of(name) !== undefined || this.#nextTask(name) !== null;
  }

  #nextTask(name: string): Task | null {
    return nextTask(this.#wanted.get(name) ?? null, this.#present.get(name) ?? null);
  }

  async #stop(systemd: Systemd, name: string): Promise<void> {
    await this.launches.stop(systemd, name);
    this.#options.failpoint("agent.after-stop");
    this.#options.directory.markLaunched(name, null);
    this.#mark(name);
    this.#update(name, { isLaunched: false, isStopped: true });
  }

  /**
   * Marks a unit for the watchdog for as long as it is on this machine, also one that is only loaded: a timer, a socket or
   * somebody's hand may start it.
   */
  #mark(name: string): void {
    const wanted = this.#wanted.get(name);
    // What is to leave this machine is marked until it has.
    if (wanted === undefined) return;
    this.#options.directory.markStopsOnPartition(name, wanted.stopsOnPartition);
    if (wanted.stopsOnPartition) this.#marked.add(name);
    else this.#marked.delete(name);
  }

  async #start(systemd: Systemd, name: string): Promise<void> {
    await this.#options.takeBackEnded(name);
    if (this.#wanted.get(name)?.stopsOnPartition === true) {
      this.#mark(name);
      if (!(await this.#options.isStillOurs(name)))
        throw new Error("is about to be taken off this machine: not started");
      // Last: it may have waited long for its turn, and for etcd.
      if (!this.#options.isWatchdogArmed())
        throw new Error("waits for this machine's lease to be renewed: not started");
    }
    this.#options.failpoint("agent.before-start");
    let job: StartJob;
    try {
      job = await systemd.start(name);
    } catch (error) {
      const state = (await systemd.states([name])).get(name);
      if (state === undefined || !this.#noticeMissing(name, state)) throw error;
      return; // It is loaded anew, and then started.
    }
    this.#options.failpoint("agent.after-start");
    this.#update(name, { isLaunched: true, isStopped: false });
    this.launches.begin(systemd, name, job);
  }

  /** A unit that was launched counts as not launched any more; null: nothing went wrong. */
  #undone(name: string, error: Error | null): void {
    this.#update(name, { isLaunched: false });
    if (error !== null) this.#failed(name, error);
    else this.#options.onProgress();
  }

  /** What came of a start is known, or can't be found out. */
  #settled(name: string, error: unknown): void {
    if (error !== null) this.#failed(name, error);
    this.#options.onTouched(name);
    if (this.#retries.of(name) !== undefined) this.#options.onProgress();
  }

  async #unload(systemd: Systemd, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    for (const name of names) this.#busy.add(name);
    let failed: Awaited<ReturnType<Systemd["unload"]>>;
    try {
      failed = await systemd.unload(names);
    } finally {
      for (const name of names) this.#busy.delete(name);
    }
    this.#options.failpoint("agent.after-unload");
    await Promise.all(
      names.map((name) =>
        this.#attempt(name, async () => {
          const error = failed.get(name);
          if (error !== undefined) {
            this.#update(name, { isStopped: false });
            throw error;
          }
          this.#options.directory.remove(name);
          this.#marked.delete(name);
          this.#present.delete(name);
          this.launches.unloaded(name);
        }),
      ),
    );
  }

  async #load(systemd: Systemd, tasks: readonly Extract<Task, { kind: "load" }>[]): Promise<void> {
    if (tasks.length === 0) return;
    const written = tasks.map((task) => this.#write(task)).filter((unit) => unit !== null);
    this.#options.failpoint("agent.after-write");
    let failed: ReadonlyMap<string, Error>;
    try {
      failed = await systemd.load(written);
    } catch (error) {
      // Some may be linked, some not: all count as there, so that whatever comes next takes them away cleanly.
      for (const { name, hash } of written) {
        this.#present.set(name, { name, hash, isLaunched: false, isStopped: false, isUnfinished: true });
        this.#failed(name, error);
      }
      return;
    }
    this.#options.failpoint("agent.after-load");
    await Promise.all(
      written.map(({ name, hash }) =>
        this.#attempt(name, async () => {
          const error = failed.get(name);
          if (error !== undefined) {
            this.#options.directory.remove(name);
            this.#marked.delete(name);
            throw error;
          }
          this.#present.set(name, { name, hash, isLaunched: false, isStopped: true, isUnfinished: false });
          // Not before it is known that no file of the host's has this name: the watchdog asks nobody.
          this.#mark(name);
        }),
      ),
    );
  }

  /** Writes a unit's file; null where that failed. */
  #write({ name, hash }: { readonly name: string; readonly hash: string }): (UnitToLoad & { hash: string }) | null {
    const { directory, text } = this.#options;
    try {
      const content = text(hash);
      if (content === undefined) throw new Error(`the unit file ${hash} is not in the registry`);
      const install = installOf(parseUnitFile(content));
      directory.write(name, content);
      return { name, hash, path: directory.file(name), install };
    } catch (error) {
      this.#failed(name, error);
      return null;
    }
  }

  /** Does something with one unit; what goes wrong is kept with it, and stops nothing else. */
  async #attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      // What came of a start is only known when its job has ended: until then an earlier failure counts.
      if (!this.launches.isStarting(name)) this.#retries.forget(name);
      this.#options.onTouched(name);
    } catch (error) {
      this.#failed(name, error);
    }
  }

  #failed(name: string, error: unknown): void {
    const hash = this.#wanted.get(name)?.hash ?? this.#present.get(name)?.hash ?? "";
    const { message, failures, pauseMs } = this.#retries.failed(name, this.#goal(name), hash, error);
    this.#options.log.error({ unit: name, failures, retryInMs: Math.round(pauseMs) }, `unit ${name}: ${message}`);
    this.#options.onTouched(name);
  }

  /** Forgets what went wrong with units that something else is wanted of by now, or nothing more is to be done for. */
  #forgetFailures(): void {
    for (const [name, { goal }] of this.#retries.entries()) {
      if (this.#busy.has(name) || this.#unclear.has(name)) continue;
      const isOpen = this.#nextTask(name) !== null || this.launches.isStarting(name);
      if (isOpen && goal === this.#goal(name)) continue;
      this.#retries.forget(name);
      this.#options.onTouched(name);
    }
  }

  #goal(name: string): string {
    const wanted = this.#wanted.get(name);
    return wanted === undefined ? "gone" : `${wanted.desiredState} ${wanted.hash}`;
  }

  #update(name: string, change: Partial<PresentUnit>): void {
    const unit = this.#present.get(name);
    if (unit !== undefined) this.#present.set(name, { ...unit, ...change });
  }
}
