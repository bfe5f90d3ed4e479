import { type Change, type ClusterState, machineOf, unitOf, unitStatesOf } from "@fleet/domain/cluster";
import { parseUnitFile, UnitFileError } from "@fleet/domain/unit";
import { machineJson, optionsJson, stateJson, unitJson } from "./entities.ts";
import { SortedNames } from "./sorted-names.ts";

/** A page of a list as JSON texts, and whether more follow. */
export interface JsonPage {
  readonly items: readonly string[];
  readonly more: boolean;
}

const MOST_CACHED = 20_000;
const MOST_PAGES = 32;

/**
 * The lists that the API shows, over a mirrored registry: sorted, and written out as JSON once for each change of what
 * they show, however often they are asked for.
 */
export class ClusterView {
  readonly #state: ClusterState;
  readonly #unitNames = new SortedNames();
  readonly #stateNames = new SortedNames();
  readonly #machineIDs = new SortedNames();
  readonly #unitCache = new Map<string, string>();
  readonly #optionsCache = new Map<string, string>();
  /** Where pages of states begin: at which name, and how many states come before it. Forgotten when states come or go. */
  readonly #stateMarks = new Map<number, { readonly index: number; readonly before: number }>();

  /** Lists as they were last asked for, until anything changes. */
  readonly #pages = new Map<string, string>();

  constructor(state: ClusterState) {
    this.#state = state;
    const none = new Set<string>();
    this.#unitNames.change(new Set(state.units.keys()), none);
    this.#stateNames.change(new Set(state.states.keys()), none);
    this.#machineIDs.change(new Set(state.machines.keys()), none);
  }

  /** Takes in what changed in the state. */
  apply(changes: readonly Change[]): void {
    this.#pages.clear();
    const units = new Coming();
    const states = new Coming();
    const machines = new Coming();
    for (const change of changes) {
      if (change.kind === "unit") {
        this.#unitCache.delete(change.name);
        if (change.before === null || change.after === null) units.note(change.name, change.after !== null);
      } else if (change.kind === "state") {
        this.#unitCache.delete(change.name);
        if (change.before === null || change.after === null) {
          this.#stateMarks.clear();
          states.note(change.name, this.#state.states.has(change.name));
        }
      } else if (change.kind === "machine") {
        if (change.before === null || change.after === null) machines.note(change.id, change.after !== null);
      } else if (change.kind === "unit-file" && change.after === null) {
        this.#optionsCache.delete(change.hash);
      }
    }
    units.bring(this.#unitNames);
    states.bring(this.#stateNames);
    machines.bring(this.#machineIDs);
  }

  /** A list as it is written out, made once for as long as nothing changes. */
  page(key: string, make: () => string): string {
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const text = make();
    if (this.#pages.size >= MOST_PAGES) this.#pages.clear();
    this.#pages.set(key, text);
    return text;
  }

  /** One unit as JSON; null where there is none. */
  unit(name: string): string | null {
    const cached = this.#unitCache.get(name);
    if (cached !== undefined) return cached;
    const unit = unitOf(this.#state, name);
    if (unit === null) return null;
    const json = unitJson(unit, this.#options(unit.hash));
    if (this.#unitCache.size >= MOST_CACHED) this.#unitCache.clear();
    this.#unitCache.set(name, json);
    return json;
  }

  units(start: number, count: number): JsonPage {
    const items = this.#unitNames.slice(start, start + count).flatMap((name) => this.unit(name) ?? []);
    return { items, more: start + count < this.#unitNames.size };
  }

  /** States of units, by name and then by machine; null filters let everything through. */
  states(machineID: string | null, unitName: string | null, start: number, count: number): JsonPage {
    const isWhole = unitName === null && machineID === null;
    const from = (isWhole ? this.#stateMarks.get(start) : undefined) ?? { index: 0, before: 0 };
    const names = unitName === null ? this.#stateNames : null;
    const size = names?.size ?? 1;
    const items: string[] = [];
    let seen = from.before;
    for (let index = from.index; index < size; index++) {
      const name = names?.at(index) ?? unitName ?? "";
      const before = seen;
      for (const state of unitStatesOf(this.#state, name)) {
        if (machineID !== null && state.machineID !== machineID) continue;
        if (seen++ < start) continue;
        if (items.length === count) {
          // Whoever reads on begins here, and not at the first name again.
          if (isWhole) this.#stateMarks.set(start + count, { index, before });
          return { items, more: true };
        }
        items.push(stateJson(state));
      }
    }
    return { items, more: false };
  }

  /** The state of a unit on the machine that it is scheduled to, or else on the first that has it; null: none has. */
  state(name: string): string | null {
    const states = unitStatesOf(this.#state, name);
    const machineID = unitOf(this.#state, name)?.machineID;
    const state = states.find((entry) => entry.machineID === machineID) ?? states[0];
    return state === undefined ? null : stateJson(state);
  }

  machines(start: number, count: number): JsonPage {
    const items = this.#machineIDs.slice(start, start + count).flatMap((id) => {
      const machine = machineOf(this.#state, id);
      return machine === null ? [] : [machineJson(machine, this.#state.cordons.get(id) ?? null)];
    });
    return { items, more: start + count < this.#machineIDs.size };
  }

  #options(hash: string): string {
    const cached = this.#optionsCache.get(hash);
    if (cached !== undefined) return cached;
    const text = this.#state.unitFiles.get(hash)?.text;
    if (text === undefined) return "[]";
    let json: string;
    try {
      json = optionsJson(parseUnitFile(text));
    } catch (error) {
      if (!(error instanceof UnitFileError)) throw error;
      json = "[]";
    }
    if (this.#optionsCache.size >= MOST_CACHED) this.#optionsCache.clear();
    this.#optionsCache.set(hash, json);
    return json;
  }
}

const MANY = 64;

/** Names that come and go, gathered so that many are taken in at once. */
class Coming {
  readonly #added = new Set<string>();
  readonly #deleted = new Set<string>();

  note(name: string, isThere: boolean): void {
    (isThere ? this.#added : this.#deleted).add(name);
    (isThere ? this.#deleted : this.#added).delete(name);
  }

  bring(names: SortedNames): void {
    if (this.#added.size + this.#deleted.size > MANY) return names.change(this.#added, this.#deleted);
    for (const name of this.#added) names.add(name);
    for (const name of this.#deleted) names.delete(name);
  }
}
