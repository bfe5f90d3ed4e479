import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ForeignUnitError, SystemdError, type UnitToLoad } from "@fleet/agent";
import { AT_REST, type RunResult, type SystemdStates } from "@fleet/domain/unit";

/** What a unit does once it is started and stopped. */
export interface UnitBehaviour {
  /** It stays up, ends by itself at once, fails at once, or has a file that systemd can't make sense of. */
  readonly runs: "for ever" | "to its end" | "to a failure" | "not at all";
  /** A unit that it pulls in when it starts (`Wants=`). */
  readonly wants?: string;
  /** A unit that it does not run without, and that is started before it (`BindsTo=`, `After=`). */
  readonly bindsTo?: string;
  /** Whether it refuses to be stopped by hand. */
  readonly refusesStop?: boolean;
  /** How long its start takes. */
  readonly startMs?: number;
  /** How long its stop takes. */
  readonly stopMs?: number;
}

/** A job of a unit: it is over when the unit has reached what was asked for, or when another job has taken its place. */
interface Job {
  readonly kind: JobKind;
  /** Fulfilled with systemd's word for its result. */
  readonly over: PromiseWithResolvers<string>;
}

/** Kinds of jobs that may be held up. */
export type JobKind = "start" | "stop";

/** A unit that systemd knows. */
interface FakeUnit {
  isLinked: boolean;
  isEnabled: boolean;
  /** Whether no file describes it. */
  isTransient: boolean;
  active: string;
  sub: string;
  job: Job | null;
  /** How often it was restarted since it was last started. */
  restarts: number;
  /** How often it has come to run, or to anything else. */
  changes: number;
}

const NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit";
const FOR_EVER: UnitBehaviour = { runs: "for ever" };

/** The systemd of one machine in memory: what goes on there whether or not an agent is connected to it. */
export class FakeSystemdHost {
  readonly #units = new Map<string, FakeUnit>();
  readonly #behaviours = new Map<string, UnitBehaviour>();
  readonly #masked = new Set<string>();
  readonly #foreign = new Map<string, string>();
  readonly #failingJobs = new Map<string, string>();
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #listeners = new Set<(name: string) => void>();

  /** Says what a unit does; one of which nothing was said stays up once it is started. */
  behave(name: string, behaviour: UnitBehaviour): void {
    this.#behaviours.set(name, behaviour);
  }

  /** Hears of each change of a unit; returns how to stop that. */
  onChanged(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has jobs of a unit wait, for ever unless they are released. */
  hold(kind: JobKind, name: string): void {
    const gate = gateOf(kind, name);
    if (!this.#gates.has(gate)) this.#gates.set(gate, Promise.withResolvers());
  }

  release(kind: JobKind, name: string): void {
    this.#gates.get(gateOf(kind, name))?.resolve();
    this.#gates.delete(gateOf(kind, name));
  }

  /** Has start jobs of a unit end with a result such as `dependency`, and the unit not started; null: no longer. */
  failJobs(name: string, result: string | null): void {
    if (result === null) this.#failingJobs.delete(name);
    else this.#failingJobs.set(name, result);
  }

  /** Has a name stand for a file of the host's own from now on, by its path; null: no longer. */
  ownFile(name: string, path: string | null): void {
    if (path === null) this.#foreign.delete(name);
    else this.#foreign.set(name, path);
  }

  /** Masks a unit, as `systemctl mask` does: its links stay. */
  mask(name: string): void {
    this.#masked.add(name);
  }

  unmask(name: string): void {
    this.#masked.delete(name);
  }

  /** Removes the links to a unit, as somebody does by hand. */
  removeLinks(name: string): void {
    const unit = this.#units.get(name);
    if (unit !== undefined) Object.assign(unit, { isLinked: false, isEnabled: false });
  }

  /** Ends what a unit runs, as its own failure does. */
  crash(name: string): void {
    const unit = this.#units.get(name);
    if (unit !== undefined) this.#become(name, unit, "failed", "failed");
  }

  /** Has a unit fail and wait for its next restart, as one with Restart= does. */
  crashAndRestart(name: string): void {
    const unit = this.#units.get(name);
    if (unit === undefined) return;
    unit.restarts++;
    this.#become(name, unit, "activating", "auto-restart");
  }

  /** Differs for each run of a unit. */
  invocation(name: string): string {
    return String(this.#units.get(name)?.changes);
  }

  /** How the last run of a unit ended; null: nothing to tell. */
  runResult(name: string): RunResult | null {
    const { active = "", sub = "", restarts = 0 } = this.#units.get(name) ?? {};
    if (active === "failed" || sub === "auto-restart")
      return { result: "exit-code", exitStatus: 1, exitSignal: null, restarts };
    return restarts === 0 ? null : { result: "success", exitStatus: null, exitSignal: null, restarts };
  }

  /** Everything ends and is forgotten, as at a reboot; masks stay. */
  reboot(): void {
    for (const { job } of this.#units.values()) job?.over.resolve("canceled");
    this.#units.clear();
  }

  /** Whether a unit is linked or enabled, as `systemctl is-enabled` says it; null: neither. */
  enablement(name: string): "linked-runtime" | "enabled-runtime" | null {
    const unit = this.#units.get(name);
    if (unit?.isLinked !== true) return null;
    return unit.isEnabled ? "enabled-runtime" : "linked-runtime";
  }

  /** @throws SystemdError where systemd refuses the unit */
  load({ name, path, install }: UnitToLoad): void {
    if (!existsSync(path)) throw new SystemdError(`Unit file ${path} does not exist.`, { type: NO_FILE });
    const foreign = this.#foreign.get(name);
    if (foreign !== undefined) throw new ForeignUnitError(name, foreign);
    const unit = this.#units.get(name) ?? this.#forgotten();
    if (unit.active === "failed") Object.assign(unit, REST);
    Object.assign(unit, { isLinked: true, isEnabled: install !== null });
    this.#units.set(name, unit);
  }

  /** @throws SystemdError where the unit is up, or on its way */
  unload(name: string): void {
    const unit = this.#units.get(name);
    if (unit === undefined) return;
    if (this.#foreign.has(name) && !AT_REST.has(unit.active)) {
      Object.assign(unit, { isLinked: false, isEnabled: false });
      return;
    }
    if (!AT_REST.has(unit.active))
      throw new SystemdError(`${name} is ${unit.active} again: it was started by hand, or by another unit`);
    this.#units.delete(name);
    this.#tell(name);
  }

  /**
   * Queues a start.
   *
   * @returns the end of its job: systemd's word for the result
   * @throws SystemdError where the unit can't be started
   */
  start(name: string): Promise<string> {
    const foreign = this.#foreign.get(name);
    if (foreign !== undefined) throw new ForeignUnitError(name, foreign);
    const unit = this.#units.get(name);
    const { load } = this.states(name);
    if (unit === undefined || load === "not-found")
      throw new SystemdError(`Unit ${name} not found.`, { type: NO_SUCH_UNIT });
    if (load === "masked") throw new SystemdError(`Unit ${name} is masked.`);
    if (load === "bad-setting") throw new SystemdError(`Unit ${name} has a bad unit file setting.`);
    if (unit.active === "active" && unit.job === null) return Promise.resolve("done");
    const failing = this.#failingJobs.get(name);
    if (failing !== undefined) {
      this.#tell(name);
      return Promise.resolve(failing);
    }
    if (unit.job?.kind === "start") return unit.job.over.promise;
    unit.restarts = 0;
    const { wants } = this.#behaviourOf(name);
    if (wants !== undefined && this.#units.get(wants)?.isLinked === true) void this.start(wants);
    const { startMs = 0, runs } = this.#behaviourOf(name);
    const ended = this.#work(name, unit, "start", startMs, () => {
      const late = this.#failingJobs.get(name);
      if (late !== undefined) this.#become(name, unit, "inactive", "dead");
      else if (runs === "to a failure") this.#become(name, unit, "failed", "failed");
      else if (runs === "to its end") this.#become(name, unit, "inactive", "dead");
      else this.#become(name, unit, "active", "running");
    });
    this.#become(name, unit, "activating", "start");
    return ended;
  }

  /** The end of a unit's start job; null where there is none. */
  startUnderWay(name: string): Promise<string> | null {
    const job = this.#units.get(name)?.job ?? null;
    return job?.kind === "start" ? job.over.promise : null;
  }

  /**
   * Stops a unit; fulfilled when it is at rest, and at once where there is nothing to stop.
   *
   * @returns names of units that were stopped along with it
   */
  async stop(name: string): Promise<readonly string[]> {
    const unit = this.#units.get(name);
    if (unit === undefined || AT_REST.has(unit.active) || this.#foreign.has(name)) return [];
    if (this.#behaviourOf(name).refusesStop === true)
      throw new SystemdError(`Operation refused, unit ${name} may be requested by dependency only`);
    const over = this.#work(name, unit, "stop", this.#behaviourOf(name).stopMs ?? 0, () =>
      this.#become(name, unit, "inactive", "dead"),
    );
    this.#become(name, unit, "deactivating", "stop-sigterm");
    const along = this.runningWith(name);
    await Promise.all([over, ...along.map((other) => this.stop(other))]);
    return along;
  }

  /** Names of units that run and are stopped along with a unit, or with one of those. */
  runningWith(name: string): readonly string[] {
    const found = new Set([name]);
    for (const unit of found)
      for (const [other, { bindsTo }] of this.#behaviours)
        if (bindsTo === unit && !this.#isAtRest(other)) found.add(other);
    found.delete(name);
    return this.#foreign.has(name) || this.#isAtRest(name) ? [] : [...found];
  }

  #isAtRest(name: string): boolean {
    return AT_REST.has(this.#units.get(name)?.active ?? "inactive");
  }

  /**
   * Starts a service that no unit file describes, where it does not run.
   *
   * @throws ForeignUnitError where its name is a file's
   */
  startTransient(name: string): void {
    if (!this.#isAtRest(name)) return;
    const path = this.#foreign.get(name);
    if (path !== undefined) throw new ForeignUnitError(name, path);
    this.#units.set(name, {
      ...this.#forgotten(),
      isLinked: true,
      isTransient: true,
      active: "active",
      sub: "running",
    });
    this.#tell(name);
  }

  /** Kills what a unit runs; a stop that is under way is over by that, and a service of fleet's own is run again. */
  kill(name: string): void {
    const unit = this.#units.get(name);
    if (unit === undefined || AT_REST.has(unit.active)) return;
    if (unit.isTransient) this.#become(name, unit, "active", "running");
    else if (unit.job?.kind === "stop") this.release("stop", name);
    else this.#become(name, unit, "failed", "failed");
  }

  states(name: string): SystemdStates {
    const unit = this.#units.get(name);
    if (this.#masked.has(name)) return { load: "masked", active: unit?.active ?? "inactive", sub: unit?.sub ?? "dead" };
    if (unit === undefined) return { load: "not-found", active: "inactive", sub: "dead" };
    const { active, sub, isLinked } = unit;
    // A unit that is up is remembered without its file.
    if (!isLinked && AT_REST.has(active)) return { load: "not-found", active, sub };
    return { load: this.#behaviourOf(name).runs === "not at all" ? "bad-setting" : "loaded", active, sub };
  }

  /** Carries a job out, unless another takes its place; fulfilled with its result when it is over. */
  async #work(name: string, unit: FakeUnit, kind: JobKind, takesMs: number, end: () => void): Promise<string> {
    unit.job?.over.resolve("canceled");
    const job: Job = { kind, over: Promise.withResolvers() };
    unit.job = job;
    const isOver = (): boolean => unit.job !== job;
    if (takesMs > 0) await Promise.race([sleep(takesMs), job.over.promise]);
    await Promise.race([this.#gates.get(gateOf(kind, name))?.promise, job.over.promise]);
    if (isOver()) return job.over.promise;
    unit.job = null;
    end();
    const failing = kind === "start" ? this.#failingJobs.get(name) : undefined;
    const result = failing ?? (unit.active === "failed" ? "failed" : "done");
    job.over.resolve(result);
    return result;
  }

  #become(name: string, unit: FakeUnit, active: string, sub: string): void {
    Object.assign(unit, { active, sub, changes: unit.changes + 1 });
    this.#tell(name);
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) queueMicrotask(() => listener(name));
  }

  #behaviourOf(name: string): UnitBehaviour {
    return this.#behaviours.get(name) ?? FOR_EVER;
  }

  #forgotten(): FakeUnit {
    return { isLinked: false, isEnabled: false, isTransient: false, ...REST, job: null, restarts: 0, changes: 0 };
  }
}

const REST = { active: "inactive", sub: "dead" } as const;
const NO_FILE = "org.freedesktop.DBus.Error.FileNotFound";

function gateOf(kind: JobKind, name: string): string {
  return `${kind} ${name}`;
}
