import { EVENT_KINDS, type EventKind, type FleetEvent } from "@fleet/client/description";
import { globMatches, isGlob, matchesMachineID } from "@fleet/registry";

/** Asks for events that are not there. The message is for the client. */
export class InvalidFilterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidFilterError";
  }
}

const PARAMETERS = ["unit", "machine", "kind", "follow"];

/** Which events a reader hears of: of each list one entry must match; an empty list lets all through. */
export class EventFilter {
  readonly #units: readonly string[];
  readonly #machines: readonly string[];
  readonly #kinds: ReadonlySet<EventKind>;

  constructor(units: readonly string[], machines: readonly string[], kinds: readonly EventKind[]) {
    this.#units = units;
    this.#machines = machines;
    this.#kinds = new Set(kinds);
  }

  /**
   * Reads the query of a request: `unit`, `machine` and `kind`, each once or several times.
   *
   * @throws InvalidFilterError
   */
  static read(query: Readonly<Record<string, unknown>>): EventFilter {
    const unknown = Object.keys(query).find((name) => !PARAMETERS.includes(name));
    if (unknown !== undefined) {
      throw new InvalidFilterError(`invalid parameter ${JSON.stringify(unknown)}: expected ${PARAMETERS.join(", ")}`);
    }
    const kinds = values(query.kind).map((kind) => {
      if (Object.hasOwn(EVENT_KINDS, kind)) return kind as EventKind;
      throw new InvalidFilterError(
        `invalid kind ${JSON.stringify(kind)}: expected one of ${Object.keys(EVENT_KINDS).join(", ")}`,
      );
    });
    const bad = values(query.unit).find((glob) => !isGlob(glob));
    if (bad !== undefined) throw new InvalidFilterError(`invalid unit ${JSON.stringify(bad)}: it is not a valid glob`);
    return new EventFilter(values(query.unit), values(query.machine), kinds);
  }

  passes({ kind, unit, machineID, previousMachineID }: FleetEvent): boolean {
    if (this.#kinds.size > 0 && !this.#kinds.has(kind)) return false;
    if (this.#units.length > 0 && !this.#units.some((glob) => matches(glob, unit))) return false;
    const ids = [machineID, previousMachineID];
    return this.#machines.length === 0 || this.#machines.some((asked) => ids.some((id) => isMachine(asked, id)));
  }
}

function matches(glob: string, unit: string | undefined): boolean {
  return unit !== undefined && (glob === unit || globMatches(glob, unit));
}

function isMachine(asked: string, id: string | undefined): boolean {
  return id !== undefined && matchesMachineID(asked, id);
}

/**
 * Whether a reader stays when it has read what is kept: unless the query says `follow=false`.
 *
 * @throws InvalidFilterError
 */
export function readFollow({ follow }: Readonly<Record<string, unknown>>): boolean {
  if (follow === undefined || follow === "true" || follow === "") return true;
  if (follow === "false") return false;
  throw new InvalidFilterError(`invalid follow ${JSON.stringify(follow)}: expected true or false`);
}

function values(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((entry): entry is string => typeof entry === "string" && entry !== "");
}
