import { type KeyParts, KINDS, type Kind, type ParsedKey, parsedKey, partsOf } from "./kinds.ts";

/** A range of keys, `start` included and `end` not, as etcd takes it. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

type PartsOf<K extends Kind> = Parameters<(typeof KINDS)[K]["key"]>;

/** The layout of fleet's keys in etcd: with kinds.ts the only place that spells one. */
export class Keys {
  readonly prefix: string;
  /** Of each kind, made once: keys are made by the thousand. */
  readonly #paths: Readonly<Record<Kind, string>>;

  /** @param prefix the cluster's key space, ending with a slash */
  constructor(prefix: string) {
    this.prefix = prefix;
    const paths = Object.entries(KINDS).map(([kind, { path }]) => [kind, prefix + path]);
    this.#paths = Object.fromEntries(paths) as Record<Kind, string>;
  }

  /** The key of a kind. */
  of<K extends Kind>(kind: K, ...parts: PartsOf<K>): string {
    let key = this.#paths[kind];
    for (const part of parts) key += `/${part}`;
    return key;
  }

  unit(name: string): string {
    return this.of("unit", name);
  }
  unitFile(hash: string): string {
    return this.of("unit-file", hash);
  }
  source(hash: string): string {
    return this.of("source", hash);
  }
  schedule(machineID: string, name: string): string {
    return this.of("schedule", machineID, name);
  }
  global(name: string): string {
    return this.of("global", name);
  }
  state(machineID: string, name: string): string {
    return this.of("state", machineID, name);
  }
  machine(id: string): string {
    return this.of("machine", id);
  }
  knownMachine(id: string): string {
    return this.of("known-machine", id);
  }
  machineMetadata(machineID: string, key: string): string {
    return this.of("machine-metadata", machineID, key);
  }
  cordon(machineID: string): string {
    return this.of("cordon", machineID);
  }
  ended(machineID: string, name: string): string {
    return this.of("ended", machineID, name);
  }
  move(name: string): string {
    return this.of("move", name);
  }
  deletion(slot: string): string {
    return this.of("deletion", slot);
  }
  roll(id: string): string {
    return this.of("roll", id);
  }
  rollProgress(id: string): string {
    return this.of("roll-progress", id);
  }
  rollCount(): string {
    return this.of("roll-count");
  }
  /** All rolls, how far they are, and how many there have been. */
  rolls(): KeyRange {
    return this.#between("roll-count/", `${KINDS.roll.path}/`);
  }
  leader(): string {
    return this.of("leader");
  }
  engineVersion(): string {
    return this.of("engine-version");
  }

  /** All of fleet's keys. */
  all(): KeyRange {
    return this.#under("");
  }
  version(name: string, id: string): string {
    return this.of("version", name, id);
  }
  /** The versions that a unit has had. */
  versionsOf(name: string): KeyRange {
    return this.#under(`${KINDS.version.path}/${name}/`);
  }
  /** Those of all units. */
  versions(): KeyRange {
    return this.#folder("version");
  }
  /** The texts as their users wrote them. */
  sources(): KeyRange {
    return this.#folder("source");
  }
  /** What one agent acts on: its schedule, the global units and its dynamic metadata. */
  agentRanges(machineID: string): readonly KeyRange[] {
    return [
      this.#under(`${KINDS.schedule.path}/${machineID}/`),
      this.#folder("global"),
      this.#under(`${KINDS["machine-metadata"].path}/${machineID}/`),
    ];
  }
  /** The calls that one machine is asked for over the link. */
  callsOf(machineID: string): KeyRange {
    return this.#under(`${KINDS["link-call"].path}/${machineID}/`);
  }
  /** The files of units. */
  unitFiles(): KeyRange {
    return this.#folder("unit-file");
  }
  /** What the engine decides on: all but the schedule, which follows the units, the states, and texts. */
  engineRanges(): readonly KeyRange[] {
    return [this.#folders("cordon", "roll"), this.#folder("unit")];
  }
  /** What the API shows: all but the schedule, which follows the units, and texts, which it reads when they are asked for. */
  apiRanges(): readonly KeyRange[] {
    return [this.#folders("cordon", "roll"), this.#folder("state"), this.#folder("unit")];
  }
  /** The same with the files of units, for those who look at a cluster once. */
  rangesWithFiles(): readonly KeyRange[] {
    return [this.#folders("cordon", "roll"), this.#folders("state", "unit")];
  }

  /** Takes a key apart; null where it is not one of fleet's, or has parts that fleet would not write. */
  parse(key: string): ParsedKey | null {
    const parts = this.parts(key);
    return parts === null ? null : parsedKey(parts);
  }

  /** The same without the names of its parts, for those who take in many. */
  parts(key: string): KeyParts | null {
    const parts = this.#partsOf(key);
    return parts === "refused" ? null : parts;
  }

  /** Whether a key lies among fleet's, and has parts that fleet would not write: `schedule/m1/../x`. */
  isRefused(key: string): boolean {
    return this.#partsOf(key) === "refused";
  }

  #partsOf(key: string): KeyParts | "refused" | null {
    return key.startsWith(this.prefix) ? partsOf(key.slice(this.prefix.length)) : null;
  }

  #under(path: string): KeyRange {
    return this.#between(path, path);
  }
  #folder(kind: Kind): KeyRange {
    return this.#folders(kind, kind);
  }
  /** Every key in the first folder, the last one, and those between them in key order. */
  #folders(first: Kind, last: Kind): KeyRange {
    return this.#between(`${KINDS[first].path}/`, `${KINDS[last].path}/`);
  }

  #between(first: string, last: string): KeyRange {
    const start = this.prefix + first;
    const final = this.prefix + last;
    const end = final.slice(0, -1) + String.fromCharCode(final.charCodeAt(final.length - 1) + 1);
    return { start, end };
  }
}
