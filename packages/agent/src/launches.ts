import { isOneshot, parseUnitFile } from "@fleet/domain/unit";
import type { BaseLogger } from "pino";
import type { UnitDirectory } from "./machine/unit-directory.ts";
import { END_NOT_SEEN, startTrouble } from "./model/start-outcome.ts";
import { StartJobs } from "./start-jobs.ts";
import { StoppedAlong } from "./stopped-along.ts";
import { RUNS } from "./systemd/manager.ts";
import type { StartJob, Systemd } from "./systemd/systemd.ts";

/** What launches need of what leads the units. */
export interface LaunchesOptions {
  readonly directory: UnitDirectory;
  readonly log: BaseLogger;
  /** Whether systemd has been told to start a unit, and nothing else is being done with it. */
  readonly isIdle: (name: string) => boolean;
  /** A launch came to nothing, or is to be done again: the unit counts as not launched. Null: nothing went wrong. */
  readonly onUndone: (name: string, error: Error | null) => void;
  /** A launch has worked: what went wrong before counts no more. */
  readonly onWorked: (name: string) => void;
  /** What came of a launch was looked at; or it can't be, for an error. */
  readonly onSettled: (name: string, error: unknown) => void;
}

/**
 * What becomes of units that systemd was told to start. Each start is followed to the end of its job, also by an agent
 * that has not asked for it; what systemd stops along with another unit comes up again with that.
 */
export class Launches {
  readonly #options: LaunchesOptions;
  readonly #jobs = new StartJobs();
  /** Units whose last start did not come to its end: their jobs failed, were canceled by a stop, or ended unseen. */
  readonly #brokenOff = new Set<string>();
  /** Oneshots that are down, and of which it is not known whether they have run. */
  readonly #doubtful = new Set<string>();
  readonly #stoppedAlong: StoppedAlong;

  constructor(options: LaunchesOptions) {
    this.#options = options;
    this.#stoppedAlong = new StoppedAlong(options.directory.stoppedAlongFolder);
  }

  /** Takes over what an agent before this one has noted. */
  adopt(): void {
    this.#stoppedAlong.read();
  }

  /** Whether a unit's start was accepted, and what came of it is not known yet. */
  isStarting(name: string): boolean {
    return this.#jobs.has(name);
  }

  /**
   * Whether a unit that is launched and inactive may have done its work: its last start was not broken off, and the
   * watchdog has not stopped it.
   */
  mayHaveEnded(name: string): boolean {
    return !this.#brokenOff.has(name) && this.#options.directory.isMarkedLaunched(name);
  }

  /** What is to be told of a unit that is down though it is launched, as one sentence; null: nothing. */
  doubtOf(name: string): string | null {
    return this.#doubtful.has(name) ? END_NOT_SEEN : null;
  }

  /** systemd has accepted a unit's start: it is followed. */
  begin(systemd: Systemd, name: string, job: StartJob): void {
    // Marked last: after a crash in between the unit is told to start once more, which does nothing to one that runs;
    // a mark without a start would leave it down for good.
    this.#options.directory.markLaunched(name, "starting");
    this.#stoppedAlong.forget(name);
    this.#doubtful.delete(name);
    this.#follow(systemd, name, job);
  }

  /** Stops a unit, and notes what systemd stops along with it. */
  async stop(systemd: Systemd, name: string): Promise<void> {
    this.#forget(name);
    const running: string[] = [];
    const stopped = await systemd.stop(name, (names) => {
      running.push(...names.filter(this.#options.isIdle));
      // Before the stop: an agent that is restarted in the middle of it finds them at rest, and the stop to be done again.
      this.#stoppedAlong.note(name, running);
    });
    for (const other of running) if (!stopped.includes(other)) this.#stoppedAlong.forget(other);
  }

  /** Forgets that a unit was ever started. */
  unloaded(name: string): void {
    this.#forget(name);
    this.#brokenOff.delete(name);
  }

  #forget(name: string): void {
    this.#jobs.forget(name);
    this.#stoppedAlong.forget(name);
    this.#doubtful.delete(name);
  }

  /**
   * Follows, on a new connection, starts that are under way: those of an agent before this one, and those of which the end
   * could not be heard. What ended meanwhile is looked at.
   *
   * @param launched names of units that systemd was told to start
   */
  async resume(systemd: Systemd, launched: readonly string[]): Promise<void> {
    const { directory } = this.#options;
    const names = launched.filter((name) => !this.#jobs.has(name));
    const jobs = await systemd.startsUnderWay(names);
    for (const [name, job] of jobs) this.#follow(systemd, name, job);
    const unseen = names.filter((name) => !jobs.has(name) && directory.isMarkedStarting(name));
    if (unseen.length === 0) return;
    for (const [name, { active }] of await systemd.states(unseen)) {
      if (active === "inactive") this.#endUnseen(name);
      else await this.#worked(systemd, name, active === "active");
    }
  }

  /** A unit is down, and nobody has seen what came of its start. */
  #endUnseen(name: string): void {
    const { directory, log, onUndone } = this.#options;
    this.#brokenOff.add(name);
    const text = directory.text(name);
    if (text !== null && isOneshot(name, parseUnitFile(text))) {
      this.#doubtful.add(name);
      log.warn({ unit: name }, `unit ${name}: ${END_NOT_SEEN}`);
      return;
    }
    log.warn({ unit: name }, `unit ${name} is down, and its start ended unseen: it is started again`);
    directory.markLaunched(name, null);
    onUndone(name, null);
  }

  #follow(systemd: Systemd, name: string, job: StartJob): void {
    this.#jobs.follow(name, job, {
      look: (result) => this.#noticeEnd(systemd, name, result),
      onSettled: (error) => this.#options.onSettled(name, error),
    });
  }

  /** Looks what came of a start, once its job has ended. What came to nothing is tried again. */
  async #noticeEnd(systemd: Systemd, name: string, result: string): Promise<void> {
    const { directory, onUndone } = this.#options;
    if (result === "done") this.#brokenOff.delete(name);
    else this.#brokenOff.add(name);
    const states = (await systemd.states([name])).get(name);
    // Where the unit was stopped meanwhile, the start is followed no more.
    if (states === undefined || !this.#jobs.has(name) || !directory.isMarkedLaunched(name)) return;
    const trouble = startTrouble(result, states);
    if (trouble === null) return this.#worked(systemd, name, result === "done");
    directory.markLaunched(name, null);
    onUndone(name, new Error(trouble));
  }

  /** A start was not in vain, or systemd's own word of the unit says what came of it. */
  async #worked(systemd: Systemd, name: string, isUp: boolean): Promise<void> {
    this.#options.onWorked(name);
    if (isUp) await this.#bringBack(systemd, name);
    this.#options.directory.markLaunched(name, "started");
  }

  /** Has those units started again that the stop of another one, which is up again, had taken with it. */
  async #bringBack(systemd: Systemd, main: string): Promise<void> {
    const { directory, log, isIdle, onUndone } = this.#options;
    const followers = this.#stoppedAlong.of(main);
    if (followers.length === 0) return;
    for (const [name, { active }] of await systemd.states(followers.filter(isIdle))) {
      if (RUNS.has(active) || !isIdle(name)) continue;
      log.info({ unit: name }, `unit ${name} was stopped along with ${main}, and is started again`);
      directory.markLaunched(name, null);
      onUndone(name, null);
    }
    // Last: where this agent ends before, the next one brings them back.
    for (const name of followers) this.#stoppedAlong.forget(name);
  }
}
