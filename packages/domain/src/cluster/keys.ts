/** Which of fleet's keys a key is, taken apart. */
export type ParsedKey =
  | { readonly kind: "unit"; readonly name: string }
  | { readonly kind: "unit-file"; readonly hash: string }
  | { readonly kind: "schedule"; readonly machineID: string; readonly name: string }
  | { readonly kind: "global"; readonly name: string }
  | { readonly kind: "state"; readonly machineID: string; readonly name: string }
  | { readonly kind: "machine"; readonly id: string }
  | { readonly kind: "machine-metadata"; readonly machineID: string; readonly key: string }
  | { readonly kind: "cordon"; readonly machineID: string }
  | { readonly kind: "move"; readonly name: string }
  | { readonly kind: "leader" }
  | { readonly kind: "engine-version" };

/** A range of keys, `start` included and `end` not, as etcd takes it. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/** The layout of fleet's keys in etcd: nothing else in the code spells one. */
export class Keys {
  readonly prefix: string;

  /** @param prefix the cluster's key space, ending with a slash */
  constructor(prefix: string) {
    this.prefix = prefix;
  }

  unit(name: string): string {
    return `${this.prefix}units/${name}`;
  }
  unitFile(hash: string): string {
    return `${this.prefix}unit-files/${hash}`;
  }
  schedule(machineID: string, name: string): string {
    return `${this.prefix}schedule/${machineID}/${name}`;
  }
  global(name: string): string {
    return `${this.prefix}global/${name}`;
  }
  state(machineID: string, name: string): string {
    return `${this.prefix}states/${machineID}/${name}`;
  }
  machine(id: string): string {
    return `${this.prefix}machines/${id}`;
  }
  machineMetadata(machineID: string, key: string): string {
    return `${this.prefix}machine-metadata/${machineID}/${key}`;
  }
  cordon(machineID: string): string {
    return `${this.prefix}cordons/${machineID}`;
  }
  move(name: string): string {
    return `${this.prefix}moves/${name}`;
  }
  leader(): string {
    return `${this.prefix}engine/leader`;
  }
  engineVersion(): string {
    return `${this.prefix}engine/version`;
  }

  /** All of fleet's keys. */
  all(): KeyRange {
    return this.#under("");
  }
  /** What one agent acts on: its schedule, the global units and its dynamic metadata. */
  agentRanges(machineID: string): readonly KeyRange[] {
    return [
      this.#under(`schedule/${machineID}/`),
      this.#under("global/"),
      this.#under(`machine-metadata/${machineID}/`),
    ];
  }
  /** What the engine decides on: all but the schedule, which follows the units, and the states. */
  engineRanges(): readonly KeyRange[] {
    return [this.#between("cordons/", "moves/"), this.#between("unit-files/", "units/")];
  }
  /** What the API shows: all but the schedule. */
  apiRanges(): readonly KeyRange[] {
    return [this.#between("cordons/", "moves/"), this.#between("states/", "units/")];
  }

  /** Takes a key apart; null where it is not one of fleet's. */
  parse(key: string): ParsedKey | null {
    if (!key.startsWith(this.prefix)) return null;
    const rest = key.slice(this.prefix.length);
    const slash = rest.indexOf("/");
    const tail = rest.slice(slash + 1);
    switch (rest.slice(0, slash)) {
      case "units":
        return { kind: "unit", name: tail };
      case "unit-files":
        return { kind: "unit-file", hash: tail };
      case "schedule":
        return split(tail, (machineID, name) => ({ kind: "schedule", machineID, name }));
      case "global":
        return { kind: "global", name: tail };
      case "states":
        return split(tail, (machineID, name) => ({ kind: "state", machineID, name }));
      case "machines":
        return { kind: "machine", id: tail };
      case "machine-metadata":
        return split(tail, (machineID, name) => ({ kind: "machine-metadata", machineID, key: name }));
      case "cordons":
        return { kind: "cordon", machineID: tail };
      case "moves":
        return { kind: "move", name: tail };
      case "engine":
        if (tail === "leader") return { kind: "leader" };
        return tail === "version" ? { kind: "engine-version" } : null;
      default:
        return null;
    }
  }

  #under(folder: string): KeyRange {
    return this.#between(folder, folder);
  }

  /** Every key in the first folder, the last one, and those between them in key order. */
  #between(first: string, last: string): KeyRange {
    const start = this.prefix + first;
    const final = this.prefix + last;
    const end = final.slice(0, -1) + String.fromCharCode(final.charCodeAt(final.length - 1) + 1);
    return { start, end };
  }
}

function split(tail: string, make: (first: string, second: string) => ParsedKey): ParsedKey | null {
  const slash = tail.indexOf("/");
  return slash > 0 && slash < tail.length - 1 ? make(tail.slice(0, slash), tail.slice(slash + 1)) : null;
}
