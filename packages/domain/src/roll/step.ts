import { changedByOthers, isUpIn, lookAt, type RollView, type Watched } from "./look.ts";
import { isOver, type RollProgress, type RollRecord, type RollUnit, UNDER_WAY, type UnitPhase } from "./records.ts";

/** How many units one step begins or goes on with: they are one transaction. */
const MOST_WRITES = 4;
/** An engine that takes a roll up has to ask machines first: only what takes longer is worth a word. */
const UNKNOWN_MS = 5_000;

/** What an engine remembers of a roll between two steps. What is in etcd is enough to go on without it. */
export interface RollMemory {
  readonly units: ReadonlyMap<string, Watched>;
  /** When a unit was done last; null: none was. */
  readonly doneAt: number | null;
  /** Since when it is not known whether all units are up; null: it is. */
  readonly unknownSince: number | null;
}

/** What is to be written about a unit of a roll. */
export interface RollWrite {
  readonly unit: RollUnit;
  readonly kind: "replace" | "stop" | "start" | "restore";
}

/** What comes next in a roll. Progress and writes belong into one transaction. */
export interface RollStep {
  /** The same object where nothing has changed. */
  readonly progress: RollProgress;
  readonly memory: RollMemory;
  readonly writes: readonly RollWrite[];
}

/** Of a roll that an engine takes up. */
export const NO_MEMORY: RollMemory = { units: new Map(), doneAt: null, unknownSince: null };

/**
 * The next step of a roll. Each unit is given its new version, or is stopped and started, when at most so many units are
 * down as may be; it is done when it has been up for the settle time, by systemd's word.
 *
 * @param now milliseconds of any clock that only goes forward
 */
export function stepRoll(
  roll: RollRecord,
  progress: RollProgress,
  memory: RollMemory,
  view: RollView,
  now: number,
): RollStep {
  if (isOver(progress)) return { progress, memory: NO_MEMORY, writes: [] };
  const step = new Step(roll, progress, memory, view, now);
  step.lookAtThoseUnderWay();
  step.settleStatus();
  step.beginOthers();
  step.sayWhatHoldsItUp();
  step.endIfOver();
  return step.result();
}

/** A unit in one of these has, or may have, its new version. */
const CHANGED: ReadonlySet<UnitPhase> = new Set<UnitPhase>(["starting", "done", "failed"]);

class Step {
  readonly #roll: RollRecord;
  readonly #before: RollProgress;
  readonly #view: RollView;
  readonly #now: number;
  readonly #phases: UnitPhase[];
  readonly #reasons: Record<string, string>;
  readonly #watched = new Map<string, Watched>();
  readonly #known: RollMemory;
  readonly #writes: RollWrite[] = [];
  #doneAt: number | null;
  readonly #unknownSince: number | null;
  #status: RollProgress["status"];
  #why: string | null;
  #isPastCanary: boolean;
  #hasChanged = false;

  constructor(roll: RollRecord, progress: RollProgress, memory: RollMemory, view: RollView, now: number) {
    this.#roll = roll;
    this.#before = progress;
    this.#known = memory;
    this.#view = view;
    this.#now = now;
    this.#phases = [...progress.phases];
    this.#reasons = { ...progress.reasons };
    this.#doneAt = memory.doneAt;
    this.#unknownSince = this.#unknown === null ? null : (memory.unknownSince ?? now);
    this.#status = progress.status;
    this.#why = progress.why;
    this.#isPastCanary = progress.isPastCanary;
  }

  result(): RollStep {
    const memory = { units: this.#watched, doneAt: this.#doneAt, unknownSince: this.#unknownSince };
    if (!this.#hasChanged) return { progress: this.#before, memory, writes: [] };
    const progress: RollProgress = {
      status: this.#status,
      why: this.#why,
      phases: this.#phases,
      reasons: this.#reasons,
      isPastCanary: this.#isPastCanary,
    };
    return { progress, memory, writes: this.#writes };
  }

  lookAtThoseUnderWay(): void {
    for (const [index, unit] of this.#roll.units.entries()) {
      const phase = this.#phases[index];
      if (phase === undefined || !UNDER_WAY.has(phase)) continue;
      const { look, watched } = lookAt(
        this.#roll,
        unit,
        phase,
        this.#known.units.get(unit.name),
        this.#view,
        this.#now,
      );
      this.#watched.set(unit.name, watched);
      if (look.kind === "up") this.#enter(index, unit, phase === "returning" ? "returned" : "done");
      else if (look.kind === "failed" || look.kind === "left") this.#enter(index, unit, look.kind, look.why);
      else if (look.kind === "stopped" && this.#writes.length < MOST_WRITES)
        this.#write(index, unit, "start", "starting");
    }
  }

  /** A failure ends the roll or turns it round; the canaries pause it. */
  settleStatus(): void {
    if (this.#status !== "running" && this.#status !== "paused") return;
    const failed = this.#phases.indexOf("failed");
    const name = this.#roll.units[failed]?.name;
    if (name !== undefined) {
      const why = `${name} ${this.#reasons[name] ?? "failed"}`;
      if (this.#roll.onFailure === "undo") this.#become("undoing", why);
      else if (!this.#isBusy) this.#become("failed", why);
      return;
    }
    const { canary } = this.#roll;
    const isShort = canary === null || this.#isPastCanary || this.#count((phase) => phase === "done") < canary;
    if (isShort || this.#isBusy || this.#status === "paused" || !this.#phases.includes("waiting")) return;
    this.#isPastCanary = true;
    this.#become("paused", `${canary} of ${this.#phases.length} are done: waiting for "fleetctl roll resume"`);
  }

  beginOthers(): void {
    if (this.#unknown !== null && this.#status !== "undoing") return;
    if (this.#status === "undoing") this.#beginAll(CHANGED, "restore", "returning");
    const mayBegin = this.#status === "running" && !this.#phases.includes("failed");
    if (mayBegin && this.#roll.kind === "replace") this.#beginAll(WAITING, "replace", "starting");
    if (mayBegin && this.#roll.kind === "restart") this.#beginAll(WAITING, "stop", "stopping");
  }

  /** A roll that can't go on says what it waits for. */
  sayWhatHoldsItUp(): void {
    if (this.#status === "undoing") return this.#sayWhatHoldsUpTheUndo();
    if (this.#status !== "running") return;
    const isHeldUp = !this.#isBusy && this.#phases.includes("waiting") && !this.#phases.includes("failed");
    const why = isHeldUp ? this.#holdsItUp() : null;
    if (why !== this.#why) this.#become("running", why);
  }

  #sayWhatHoldsUpTheUndo(): void {
    const [first = ""] = (this.#why ?? "").split(HELD_UP);
    const isHeldUp = !this.#isBusy && this.#phases.some((phase) => CHANGED.has(phase));
    const what = isHeldUp ? this.#holdsItUp() : null;
    const why = what === null ? first : `${first}; ${what}`;
    if (why !== (this.#why ?? "")) this.#become("undoing", why);
  }

  endIfOver(): void {
    if (this.#isBusy) return;
    if (this.#status === "running" && !this.#phases.includes("waiting") && !this.#phases.includes("failed"))
      this.#become("done", this.#leftOut());
    if (this.#status === "cancelling") this.#become("cancelled", this.#why);
    if (this.#status === "undoing" && !this.#phases.some((phase) => CHANGED.has(phase)))
      this.#become("undone", [this.#why, this.#leftOut()].filter((text) => text !== null).join("; "));
  }

  #beginAll(from: ReadonlySet<UnitPhase>, kind: RollWrite["kind"], to: UnitPhase): void {
    const isBackwards = kind === "restore";
    const due = [...this.#roll.units.entries()].filter(([index]) => from.has(this.#phases[index] ?? "left"));
    if (isBackwards) due.reverse();
    // One that is down already gets no worse.
    due.sort(([, a], [, b]) => Number(this.#isUp(a)) - Number(this.#isUp(b)));
    for (const [index, unit] of due) {
      if (!this.#mayBegin(unit, isBackwards)) return;
      const record = this.#view.record(unit.name);
      if (record === undefined) continue;
      const strange = changedByOthers(record, isBackwards ? [unit.from, unit.to] : [unit.from]);
      if (strange === null) this.#write(index, unit, kind, to);
      else this.#enter(index, unit, "left", strange);
    }
  }

  #holdsItUp(): string | null {
    const unknown = this.#unknown;
    if (unknown !== null && this.#now - (this.#unknownSince ?? this.#now) < UNKNOWN_MS) return null;
    if (unknown !== null) return `waiting: it is not known yet whether ${unknown} is up`;
    const down = this.#roll.units
      .filter((unit, index) => this.#isMissed(index) && !this.#isUp(unit))
      .map(({ name }) => name);
    const { maxUnavailable } = this.#roll;
    if (down.length < maxUnavailable) return null;
    const named = `${down.slice(0, 3).join(", ")}${down.length > 3 ? ", …" : ""}`;
    return `waiting: ${down.length} down (${named}), and at most ${maxUnavailable} may be`;
  }

  /** A unit of which it is not known whether it is up; null: none. */
  get #unknown(): string | null {
    return this.#roll.units.find(({ name }) => isUpIn(this.#view, name) === undefined)?.name ?? null;
  }

  #mayBegin(unit: RollUnit, isBackwards: boolean): boolean {
    const { maxUnavailable, pauseMs, canary } = this.#roll;
    if (this.#writes.length >= MOST_WRITES) return false;
    const others = this.#roll.units.filter((other, index) => other !== unit && this.#isUnderWay(index)).length;
    if (others >= maxUnavailable) return false;
    if (this.#isUp(unit) && this.#unavailable() >= maxUnavailable) return false;
    if (isBackwards) return true;
    if (pauseMs > 0 && this.#doneAt !== null && this.#now - this.#doneAt < pauseMs) return false;
    const begun = this.#count((phase) => phase !== "waiting" && phase !== "left");
    return canary === null || this.#isPastCanary || begun < canary;
  }

  /** Units of the roll that are down, or may be at any moment. */
  #unavailable(): number {
    return this.#roll.units.filter(
      (unit, index) => this.#isUnderWay(index) || (this.#isMissed(index) && !this.#isUp(unit)),
    ).length;
  }

  /**
   * Whether a unit counts where it is down: not one that is somebody else's, nor one that its old version can't bring up, nor
   * in an undo one that the roll has not touched.
   */
  #isMissed(index: number): boolean {
    const phase = this.#phases[index] ?? "left";
    return phase !== "left" && phase !== "stuck" && !(this.#status === "undoing" && phase === "waiting");
  }

  #isUp({ name }: RollUnit): boolean {
    return isUpIn(this.#view, name) === true;
  }

  #write(index: number, unit: RollUnit, kind: RollWrite["kind"], to: UnitPhase): void {
    this.#writes.push({ unit, kind });
    this.#enter(index, unit, to);
  }

  #enter(index: number, { name }: RollUnit, phase: UnitPhase, why?: string): void {
    const isStuck = this.#phases[index] === "returning" && phase === "failed";
    this.#phases[index] = isStuck ? "stuck" : phase;
    this.#hasChanged = true;
    this.#watched.delete(name);
    if (why !== undefined) this.#reasons[name] = why;
    if (phase === "done" || phase === "returned") this.#doneAt = this.#now;
  }

  #become(status: RollProgress["status"], why: string | null): void {
    this.#status = status;
    this.#why = why;
    this.#hasChanged = true;
  }

  #leftOut(): string | null {
    const left = this.#count((phase) => phase === "left");
    const stuck = this.#count((phase) => phase === "stuck");
    const total = this.#phases.length;
    const texts = [
      ...(stuck === 0 ? [] : [`${stuck} of ${total} are not up with their old versions`]),
      ...(left === 0 ? [] : [`${left} of ${total} were changed by somebody else, and left alone`]),
    ];
    return texts.length === 0 ? null : texts.join("; ");
  }

  #isUnderWay(index: number): boolean {
    return UNDER_WAY.has(this.#phases[index] ?? "left");
  }

  get #isBusy(): boolean {
    return this.#phases.some((phase) => UNDER_WAY.has(phase));
  }

  #count(is: (phase: UnitPhase) => boolean): number {
    return this.#phases.filter(is).length;
  }
}

const WAITING: ReadonlySet<UnitPhase> = new Set<UnitPhase>(["waiting"]);
/** Between why a roll is undone and what holds that up. */
const HELD_UP = "; waiting: ";
