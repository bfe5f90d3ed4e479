import type { Machine } from "../cluster/machine.ts";
import type { UnitRecord } from "../cluster/records.ts";
import type { Versioned } from "../cluster/state.ts";
import { isTemplateName } from "../unit/name.ts";
import type { Requirements } from "../unit/requirements.ts";
import { change, type WhereaboutsEvent } from "../whereabouts/change.ts";
import { firstChoice, placesOf, sameWhereabouts, scheduledTo } from "../whereabouts/whereabouts.ts";
import { conflicts, type GlobalUnit, globalsOn, type Neighbour } from "./conflicts.ts";
import { FitsNowhere } from "./fits-nowhere.ts";
import { MachineIndex } from "./machine-index.ts";
import type { MachineOrder } from "./machine-order.ts";
import { Occupancy } from "./occupancy.ts";
import { type PlacedUnit, pushes, type Surroundings, type Unfit, unfitOn } from "./rules.ts";
import { compareScores, type Score, type ScoreView, scoreOf } from "./score.ts";
import { WorkQueue } from "./work-queue.ts";

/** A unit as the engine decides on it. */
export interface ModelUnit extends PlacedUnit {
  readonly record: Versioned<UnitRecord>;
}

/** A unit as the rules see it. */
export function modelUnit(name: string, record: Versioned<UnitRecord>, requirements: Requirements): ModelUnit {
  const isWanted = record.desiredState !== "inactive" && !record.global && !isTemplateName(name);
  return { name, record, requirements, isWanted, on: scheduledTo(record.whereabouts) };
}

interface ModelMachine {
  readonly machine: Machine;
  readonly createRevision: number;
  globals: readonly string[];
}

const NOBODY: readonly never[] = [];

/** What is there by its key in etcd, and can't be read by this version: it is never taken for nothing. */
export interface Unreadable {
  machine(id: string): boolean;
  cordon(machineID: string): boolean;
  /** A unit on which it depends where the given one may be; null: there is none. */
  peer(unit: PlacedUnit): string | null;
}

const ALL_READABLE: Unreadable = { machine: () => false, cordon: () => false, peer: () => null };

/**
 * The cluster as the engine sees it, with the indexes that make one decision cost about the same in a large cluster as
 * in a small one. It also knows which units may need a decision since the last time: those are `dirty`.
 */
export class ClusterModel {
  readonly units = new Map<string, ModelUnit>();
  readonly #machines = new Map<string, ModelMachine>();
  readonly #followers = new Map<string, Set<string>>();
  readonly #pending = new Set<string>();
  /** Units that have been taken off a machine which has not let go of them yet. */
  readonly #leaving = new Set<string>();
  /** Units that may need a decision. */
  readonly #dirty = new WorkQueue();
  readonly #index = new MachineIndex();
  readonly #fitsNowhere = new FitsNowhere();
  readonly #occupancy = new Occupancy();
  readonly #cordons = new Map<string, { readonly drain: boolean }>();
  /** Units that have Replaces globs. */
  readonly #replacers = new Set<string>();
  readonly #globals = new Map<string, GlobalUnit>();
  readonly #around: Surroundings = {
    unit: (name) => this.units.get(name),
    neighbours: (unit, id) => this.#neighbours(unit, id),
    pushers: (unit, id) => this.#pushers(unit, id),
    cordon: (id) => this.#cordons.get(id) ?? (this.#unreadable.cordon(id) ? { drain: false } : null),
    replacers: () => this.#unitsOf(this.#replacers),
    unreadablePeer: (unit) => this.#unreadable.peer(unit),
  };

  readonly #scoreView: ScoreView = {
    occupancy: this.#occupancy,
    metadataOf: (id) => this.#machines.get(id)?.machine.metadata,
  };

  readonly #unreadable: Unreadable;
  /** Whether a unit was placed nowhere for the record of another one that can't be read. */
  #waitsForReadable = false;
  /** Machines that have vanished, and are taken for being there for a while. */
  readonly #held = new Set<string>();

  constructor(unreadable: Unreadable = ALL_READABLE) {
    this.#unreadable = unreadable;
  }

  // ---- what comes in

  /** A unit is new, or has changed. */
  setUnit(name: string, record: Versioned<UnitRecord>, requirements: Requirements): void {
    if (this.#replaceUnit(name, record, requirements)) this.#dirty.add(name);
  }

  /** Something is as good as done with a unit: the decision is on its way to etcd. */
  assume(unit: ModelUnit, event: WhereaboutsEvent): void {
    const record = { ...unit.record, whereabouts: change(unit.record.whereabouts, event) };
    this.#replaceUnit(unit.name, record, unit.requirements);
  }

  /** @returns whether anything that decisions depend on has changed */
  #replaceUnit(name: string, record: Versioned<UnitRecord>, requirements: Requirements): boolean {
    const before = this.units.get(name);
    const isSame = before !== undefined && before.requirements === requirements;
    if (isSame && isOnlyNewer(before.record, record)) {
      // What was decided here comes back from etcd: nothing is elsewhere than it was.
      this.units.set(name, { ...before, record });
      return false;
    }
    if (!isSame) this.#use(name, requirements);
    if (before !== undefined) this.#take(before);
    if (before !== undefined && !isSame) this.#drop(name, before.requirements, requirements);
    const unit = modelUnit(name, record, requirements);
    this.units.set(name, unit);
    this.#put(unit);
    if (unit.on === null && unit.isWanted) this.#pending.add(name);
    if (record.whereabouts.kind === "leaving") this.#leaving.add(name);
    this.#noticeMove(before ?? null, unit);
    const hadReplaces = (before?.requirements.replaces.length ?? 0) > 0;
    if (!isSame && (hadReplaces || requirements.replaces.length > 0)) this.#ringsChanged();
    return true;
  }

  /** Who else must be looked at now that a unit is elsewhere, or on its way elsewhere. */
  #noticeMove(before: ModelUnit | null, unit: ModelUnit): void {
    const [wentTo, goesTo] = [before === null ? null : movesTo(before), movesTo(unit)];
    if ((before?.on ?? null) !== unit.on || before === null) this.#placementChanged(unit, before?.on ?? null);
    else if (wentTo !== null && wentTo !== goesTo) this.#retryPending();
    if (goesTo !== null && goesTo !== wentTo) for (const other of this.replacedBy(unit, goesTo)) this.#dirty.add(other);
  }

  /** A ring of units that replace each other may have opened: those in it push again. */
  #ringsChanged(): void {
    for (const name of this.#replacers) {
      const unit = this.units.get(name);
      const id = unit?.on ?? null;
      if (unit !== undefined && id !== null) for (const other of this.replacedBy(unit, id)) this.#dirty.add(other);
    }
  }

  deleteUnit(name: string): void {
    const unit = this.units.get(name);
    if (unit === undefined) return;
    this.#take(unit);
    this.#drop(name, unit.requirements, null);
    this.units.delete(name);
    this.#dirty.delete(name);
    if (unit.on !== null) this.#placementChanged(unit, unit.on);
    if (unit.requirements.replaces.length > 0) this.#ringsChanged();
  }

  /** A global unit is wanted, or changed. */
  setGlobal(unit: GlobalUnit): void {
    this.#globals.set(unit.name, unit);
    this.#globalsChanged();
  }

  deleteGlobal(name: string): void {
    if (this.#globals.delete(name)) this.#globalsChanged();
  }

  /** A machine came, or its metadata changed. */
  setMachine(machine: Machine, createRevision: number): void {
    const { id } = machine;
    const before = this.#machines.get(id);
    if (before !== undefined) this.#index.delete(id, before.machine.metadata);
    const entry: ModelMachine = { machine, createRevision, globals: [] };
    this.#held.delete(id);
    this.#machines.set(id, entry);
    this.#recount(entry);
    for (const name of this.#occupancy.unitsOn(id)) this.#dirty.add(name);
    this.#retryPending();
  }

  deleteMachine(id: string): void {
    const entry = this.#machines.get(id);
    if (entry !== undefined) this.#index.delete(id, entry.machine.metadata);
    this.#machines.delete(id);
    this.#fitsNowhere.clear();
    for (const name of this.#occupancy.unitsOn(id)) this.#dirty.add(name);
  }

  /** A machine that vanishes is not gone yet: until it is back, or is released, nothing is decided about its units. */
  holdMachine(id: string): void {
    this.#held.add(id);
  }

  /** A machine that is held is gone, if it is not back. */
  releaseMachine(id: string): void {
    if (!this.#held.delete(id)) return;
    for (const name of this.#occupancy.unitsOn(id)) this.#dirty.add(name);
  }

  /** A machine is cordoned; null: it is not any more. */
  setCordon(id: string, cordon: { readonly drain: boolean } | null): void {
    if (cordon !== null) {
      this.#cordons.set(id, cordon);
      return;
    }
    if (!this.#cordons.delete(id)) return;
    this.#fitsNowhere.clear();
    this.#retryPending();
  }

  /** A record that could not be read may be readable, or gone: what waits for that is looked at again. */
  readableAgain(): void {
    if (!this.#waitsForReadable) return;
    this.#waitsForReadable = false;
    this.#retryPending();
  }

  /** Everything is to be looked at again. */
  markAllDirty(): void {
    for (const [name, unit] of this.units) if (unit.isWanted || unit.on !== null) this.#dirty.add(name);
  }

  markDirty(name: string): void {
    if (this.units.has(name)) this.#dirty.add(name);
  }

  // ---- what is asked

  get dirtyCount(): number {
    return this.#dirty.size;
  }
  /** Machines by load, the least loaded first. */
  get order(): MachineOrder {
    return this.#index.order;
  }
  get machineCount(): number {
    return this.#machines.size;
  }
  machine(id: string): Machine | null {
    return this.#machines.get(id)?.machine ?? null;
  }
  /** Whether a machine is gone. One that is held, or whose record can't be read, is not: nothing is decided about its units. */
  isGone(id: string): boolean {
    return !this.#machines.has(id) && !this.#held.has(id) && !this.#unreadable.machine(id);
  }
  machineRevision(id: string): number | null {
    return this.#machines.get(id)?.createRevision ?? null;
  }
  /** Units that are wanted and on no machine. */
  get waiting(): Iterable<string> {
    return this.#pending;
  }
  isWaiting(name: string): boolean {
    return this.#pending.has(name);
  }
  /** Units that are being started on another machine before they leave theirs, by name. */
  get moving(): readonly string[] {
    return [...this.#occupancy.movers.keys()].sort();
  }
  /** Units that may not be placed before they have left a machine, by name. */
  get leaving(): readonly string[] {
    return [...this.#leaving].sort();
  }
  get hasMoving(): boolean {
    return this.#occupancy.movers.size > 0;
  }
  get hasLeaving(): boolean {
    return this.#leaving.size > 0;
  }
  /** Machines that units are to be moved away from. */
  get draining(): readonly string[] {
    return [...this.#cordons]
      .filter(([id, { drain }]) => drain && this.#machines.has(id))
      .map(([id]) => id)
      .sort();
  }
  isCordoned(id: string): boolean {
    return this.#cordons.has(id);
  }
  /** Units on a machine, global ones aside, also those that are being moved to it, by name. */
  unitsOn(id: string): readonly string[] {
    return [...this.#occupancy.unitsOn(id)].sort();
  }
  /** What a machine carries. */
  loadOf(id: string): number {
    return this.order.load(id) ?? 0;
  }
  get machineIDs(): Iterable<string> {
    return this.#machines.keys();
  }

  /** Takes the next unit that may need a decision, by name within what was dirty together; null: there is none. */
  takeDirty(): string | null {
    return this.#dirty.take();
  }

  /** Why a unit can't be on a machine; null where it can. Its being there already makes no difference. */
  unfit(unit: ModelUnit, id: string): Unfit | null {
    const entry = this.#machines.get(id);
    return entry === undefined ? { kind: "machine-id", wanted: id } : unfitOn(unit, entry.machine, this.#around);
  }

  /**
   * The machine for a unit: the one that it was freed for, or else ran on before, if it fits; else the least loaded that
   * fits; null: none does.
   */
  choose(unit: ModelUnit): string | null {
    if (this.#unreadable.peer(unit) !== null) {
      this.#waitsForReadable = true;
      return null;
    }
    const { machineID, machineOf, metadata } = unit.requirements;
    const fits = (id: string): boolean => this.unfit(unit, id) === null;
    if (machineID !== null) return this.#index.named(machineID).find(fits) ?? null;
    const [peer] = machineOf;
    if (peer !== undefined) {
      const id = this.units.get(peer)?.on ?? null;
      return id !== null && fits(id) ? id : null;
    }
    const first = firstChoice(unit.record.whereabouts);
    if (first !== null && this.#machines.has(first) && fits(first)) return first;
    const globs = this.#occupancy.globsMatching(unit.name);
    if (this.#fitsNowhere.has(unit.requirements, globs)) return null;
    const best =
      unit.requirements.preferences === null ? this.#index.candidates(metadata).find(fits) : this.#preferred(unit);
    if (best != null) return best;
    this.#fitsNowhere.note(unit.requirements, globs);
    return null;
  }

  /** Of the machines that fit, the one that a unit's preferences like best; null: none fits. All are looked at. */
  #preferred(unit: ModelUnit): string | null {
    let best: string | null = null;
    let least: Score | null = null;
    for (const id of this.#index.candidates(unit.requirements.metadata)) {
      if (this.unfit(unit, id) !== null) continue;
      const score = this.score(unit, id);
      // Of equals the first stays: they come by load and ID.
      if (least !== null && compareScores(score, least) >= 0) continue;
      best = id;
      least = score;
    }
    return best;
  }

  /** How a machine compares with others for a unit. */
  score(unit: ModelUnit, id: string): Score {
    return scoreOf(unit, id, this.loadOf(id), this.#scoreView);
  }

  /** Units on a machine that a unit pushes away. */
  replacedBy(unit: ModelUnit, id: string): readonly string[] {
    if (unit.requirements.replaces.length === 0) return NOBODY;
    return [...this.#occupancy.unitsOn(id)].filter((name) => {
      const other = this.units.get(name);
      return other !== undefined && pushes(unit, other, this.#around);
    });
  }

  // ---- inside

  #take(unit: ModelUnit): void {
    this.#pending.delete(unit.name);
    this.#leaving.delete(unit.name);
    this.#occupancy.remove(unit);
    const places = placesOf(unit.record.whereabouts);
    if (places.length > 0) this.#fitsNowhere.clear();
    for (const machineID of places) this.#neighbourhoodChanged(unit, machineID);
  }

  #put(unit: ModelUnit): void {
    this.#occupancy.add(unit);
    for (const machineID of placesOf(unit.record.whereabouts)) this.#neighbourhoodChanged(unit, machineID);
  }

  #use(name: string, requirements: Requirements): void {
    this.#occupancy.use(requirements);
    if (requirements.replaces.length > 0) {
      this.#replacers.add(name);
      this.#fitsNowhere.clear(); // it may close a ring, in which none pushes another any more
    }
    for (const peer of requirements.machineOf) add(this.#followers, peer, name);
  }

  /** @param next what the unit asks for from now on, already in use; null: it is gone */
  #drop(name: string, requirements: Requirements, next: Requirements | null): void {
    this.#occupancy.drop(requirements);
    if (!next?.replaces.length) this.#replacers.delete(name);
    for (const peer of requirements.machineOf) if (!next?.machineOf.includes(peer)) remove(this.#followers, peer, name);
  }

  /** Who else must be looked at when a unit came to a machine or left one. */
  #placementChanged(unit: ModelUnit, from: string | null): void {
    for (const follower of this.#followers.get(unit.name) ?? NOBODY) this.#dirty.add(follower);
    const to = this.units.get(unit.name)?.on ?? null;
    if (to !== null) for (const name of this.replacedBy(unit, to)) this.#dirty.add(name);
    // A place that was taken has become free for those that conflicted with it.
    if (from !== null) this.#retryPending();
  }

  #retryPending(): void {
    for (const name of this.#pending) this.#dirty.add(name);
  }

  #neighbourhoodChanged(unit: ModelUnit, machineID: string): void {
    const entry = this.#machines.get(machineID);
    if (entry === undefined) return;
    for (const other of this.#globals.values()) {
      if (conflicts(unit, other)) return this.#recount(entry);
    }
    this.#setLoad(entry);
  }

  /** Puts a machine where its load belongs in every order that it is in. */
  #setLoad({ machine, globals }: ModelMachine): void {
    const ofGlobals = globals.reduce((sum, name) => sum + (this.#globals.get(name)?.requirements.weight ?? 0), 0);
    const load = this.#occupancy.weightOn(machine.id) + ofGlobals;
    this.#index.set(machine.id, machine.metadata, load);
  }

  #globalsChanged(): void {
    for (const entry of this.#machines.values()) this.#recount(entry);
    this.#retryPending();
  }

  /** Which global units run on a machine, and with them how much it carries. */
  #recount(entry: ModelMachine): void {
    if (this.#globals.size === 0) entry.globals = [];
    else {
      const scheduled = this.#unitsOf(this.#occupancy.unitsOn(entry.machine.id));
      entry.globals = globalsOn([...this.#globals.values()], entry.machine.metadata, scheduled).map(({ name }) => name);
    }
    this.#setLoad(entry);
    this.#fitsNowhere.clear();
  }

  #neighbours(unit: PlacedUnit, id: string): readonly Neighbour[] {
    const entry = this.#machines.get(id);
    if (entry === undefined) return NOBODY;
    if (!this.#occupancy.mayConflict(unit, id)) return entry.globals.length === 0 ? NOBODY : this.#globalsOf(entry);
    return [...this.#unitsOf(this.#occupancy.unitsOn(id)), ...this.#globalsOf(entry)];
  }

  #globalsOf({ globals }: ModelMachine): readonly GlobalUnit[] {
    return globals.flatMap((name) => this.#globals.get(name) ?? []);
  }

  #pushers({ name }: PlacedUnit, id: string): readonly ModelUnit[] {
    return this.#occupancy.mayBeReplaced(name, id) ? this.#unitsOf(this.#occupancy.unitsOn(id)) : NOBODY;
  }

  #unitsOf(names: Iterable<string>): readonly ModelUnit[] {
    return Array.from(names).flatMap((name) => this.units.get(name) ?? []);
  }
}

/** Whether a record says the same as another for placement. */
function isOnlyNewer(before: UnitRecord, after: UnitRecord): boolean {
  return (
    before.desiredState === after.desiredState &&
    before.global === after.global &&
    sameWhereabouts(before.whereabouts, after.whereabouts)
  );
}

/** The machine that a unit is being moved to; null: none. */
function movesTo({ record: { whereabouts } }: ModelUnit): string | null {
  return whereabouts.kind === "moving" ? whereabouts.to : null;
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function remove(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
