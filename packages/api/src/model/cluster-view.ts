import { BoundedCache } from "@fleet/domain/cache";
import {
  type Change,
  type ClusterState,
  holderOf,
  lostMachines,
  machineOf,
  type UnitRecord,
  unitOf,
  unitStatesOf,
  unknownOn,
} from "@fleet/domain/cluster";
import { hashText, parseUnitFile, UnitFileError } from "@fleet/domain/unit";
import { lostMachineJson, machineJson, optionsJson, stateJson, unitJson } from "./entities.ts";
import { NameDelta, SortedNames } from "./sorted-names.ts";

/** A page of a list: each entry as JSON, and whether more pages follow. */
export interface JsonPage {
  readonly items: readonly string[];
  readonly more: boolean;
}

/** Characters of JSON that are kept of units, and as many of unit files: those of some ten thousand of common size. */
const MOST_CACHED = 32 * 1024 * 1024;
const length = ({ length }: string): number => length;
const MOST_PAGES = 32;
/** Far more than the pages of the largest cluster; whoever makes up page tokens can ask for a page from anywhere. */
const MOST_MARKS = 10_000;

/** Where texts of unit files are had from. */
export interface TextSource {
  /** A text that is in memory; undefined: it is not. */
  get(hash: string): string | undefined;
  /** Texts by hash, wherever they are; those that are nowhere are left out. */
  find(hashes: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Keeps a text for those who ask for it next. */
  keep(hash: string, text: string): void;
  /** Says that somebody may ask for texts. */
  expect(hashes: Iterable<string>): void;
}

/** Where a page of states begins: at which name, and how many states come before that. */
interface StateMark {
  readonly index: number;
  readonly before: number;
}

/**
 * The lists that the API shows of a mirrored registry, sorted. The JSON of an entry is made once for each change of it,
 * however often clients ask for it.
 */
export class ClusterView {
  readonly #state: ClusterState;
  readonly #unitNames = new SortedNames();
  readonly #stateNames = new SortedNames();
  readonly #machineIDs = new SortedNames();
  readonly #texts: TextSource;
  /** Units as JSON, by name. */
  readonly #unitCache = new BoundedCache<string, string>(MOST_CACHED, length);
  /** Options as JSON, by the hash of their unit file. */
  readonly #optionsCache = new BoundedCache<string, string>(MOST_CACHED, length);
  /** Where pages of states begin, by how many states come before them. Valid until states come or go. */
  readonly #stateMarks = new BoundedCache<number, StateMark>(MOST_MARKS);
  /** Counts what was applied. */
  #changes = 0;
  /** Whole pages as JSON. Valid until anything changes. */
  readonly #pages = new BoundedCache<string, string>(MOST_PAGES);

  constructor(state: ClusterState, texts: TextSource) {
    this.#state = state;
    this.#texts = texts;
    const none = new Set<string>();
    this.#unitNames.change(new Set(state.units.keys()), none);
    this.#stateNames.change(new Set(state.states.keys()), none);
    this.#machineIDs.change(new Set(state.machines.keys()), none);
  }

  /**
   * Makes the JSON of units that are asked for, whose texts are read where they are not in memory. The state may change
   * meanwhile, so that others are asked for then. A unit whose file etcd does not have either has an empty list of options.
   *
   * @param names those that are asked for, as the state is
   * @throws RegistryError
   */
  async shown(names: () => readonly string[]): Promise<readonly string[]> {
    const texts = new Map<string, string | null>();
    for (;;) {
      const asked = names();
      const made = asked.map((name) => this.#unit(name, texts));
      const missing = asked.flatMap((name, index) => (made[index] === undefined ? this.#hashOf(name) : []));
      if (missing.length === 0) return made.filter((json) => typeof json === "string");
      const found = await this.#texts.find(missing);
      for (const hash of missing) texts.set(hash, found.get(hash) ?? null);
    }
  }

  /** Keeps the file of a version that was just written, for whoever has written it asks for it next. */
  keepFile(text: string): void {
    this.#texts.keep(hashText(text), text);
  }

  /** Applies changes of the state. */
  apply(changes: readonly Change[]): void {
    this.#pages.clear();
    this.#changes++;
    const units = new NameDelta();
    const states = new NameDelta();
    const machines = new NameDelta();
    for (const change of changes) {
      if (change.kind === "unit") {
        this.#unitCache.delete(change.name);
        if (change.after !== null) this.#texts.expect([change.after.hash]);
        if (change.before === null || change.after === null) units.record(change.name, change.after !== null);
      } else if (change.kind === "state") {
        this.#unitCache.delete(change.name);
        if (change.before === null || change.after === null) {
          this.#stateMarks.clear();
          states.record(change.name, this.#state.states.has(change.name));
        }
      } else if (change.kind === "machine") {
        if (change.before === null || change.after === null) machines.record(change.id, change.after !== null);
      }
    }
    units.applyTo(this.#unitNames);
    states.applyTo(this.#stateNames);
    machines.applyTo(this.#machineIDs);
  }

  /** A page as JSON, made once for as long as nothing changes. */
  async page(key: string, make: () => Promise<string>): Promise<string> {
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const changes = this.#changes;
    const made = await make();
    if (changes === this.#changes) this.#pages.set(key, made);
    return made;
  }

  /** One unit as JSON; null where there is none. */
  async unit(name: string): Promise<string | null> {
    const [unit = null] = await this.shown(() => [name]);
    return unit;
  }

  /** Null: there is no such unit; undefined: its text is needed first. */
  #unit(name: string, texts: ReadonlyMap<string, string | null>): string | null | undefined {
    const cached = this.#unitCache.get(name);
    if (cached !== undefined) return cached;
    const unit = unitOf(this.#state, name);
    if (unit === null) return null;
    const options = this.#options(unit.hash, texts);
    if (options === undefined) return undefined;
    const json = unitJson(unit, options, this.#state.units.get(name)?.ended === true);
    this.#unitCache.set(name, json);
    return json;
  }

  /** What a unit's record says of it; null where there is none. */
  record(name: string): UnitRecord | null {
    return this.#state.units.get(name) ?? null;
  }

  async units(start: number, count: number): Promise<JsonPage> {
    const items = await this.shown(() => this.#unitNames.slice(start, start + count));
    return { items, more: start + count < this.#unitNames.size };
  }

  /** States of units, by name and then by machine; a filter that is null matches all. */
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
          // The next page begins here, and not with a search from the first name.
          if (isWhole) this.#stateMarks.set(start + count, { index, before });
          return { items, more: true };
        }
        items.push(stateJson(state));
      }
    }
    return { items, more: false };
  }

  /**
   * The state of a unit on the machine that it is scheduled to, or else on the first that reports one; null: none does.
   */
  state(name: string): string | null {
    const states = unitStatesOf(this.#state, name);
    const machineID = unitOf(this.#state, name)?.machineID;
    const state = states.find((entry) => entry.machineID === machineID) ?? states[0];
    return state === undefined ? null : stateJson(state);
  }

  /** The machines that have a unit which the registry does not know, by ID. */
  unknownOn(name: string): readonly string[] {
    return unknownOn(this.#state, name);
  }

  /** A machine that says something of a unit; null: none does. */
  holderOf(name: string): string | null {
    return holderOf(this.#state, name);
  }

  machines(start: number, count: number): JsonPage {
    const items = this.#machineIDs.slice(start, start + count).flatMap((id) => {
      const machine = machineOf(this.#state, id);
      return machine === null ? [] : [machineJson(machine, this.#state.cordons.get(id) ?? null)];
    });
    return { items, more: start + count < this.#machineIDs.size };
  }

  /** Machines, and behind them those that are lost. */
  machinesAndLost(start: number, count: number): JsonPage {
    const { items } = this.machines(start, count);
    const lost = lostMachines(this.#state);
    const here = this.#machineIDs.size;
    const also = lost.slice(Math.max(0, start - here), Math.max(0, start + count - here)).map(lostMachineJson);
    return { items: [...items, ...also], more: start + count < here + lost.length };
  }

  #hashOf(name: string): readonly string[] {
    const record = this.#state.units.get(name);
    return record === undefined ? [] : [record.hash];
  }

  #options(hash: string, texts: ReadonlyMap<string, string | null>): string | undefined {
    const known = this.#optionsCache.get(hash);
    if (known !== undefined) return known;
    const text = this.#texts.get(hash) ?? texts.get(hash);
    if (text == null) return text === null ? "[]" : undefined;
    return this.#optionsCache.getOrMake(hash, () => optionsOf(text));
  }
}

/** The options of a unit file as JSON; an empty list where the file can't be parsed. */
function optionsOf(text: string): string {
  try {
    return optionsJson(parseUnitFile(text));
  } catch (error) {
    if (!(error instanceof UnitFileError)) throw error;
    return "[]";
  }
}
