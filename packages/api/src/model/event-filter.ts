import { EVENT_KINDS, type EventKind, type FleetEvent } from "@fleet/client/description";
import { type ClusterEventFilter, passesFilter } from "@fleet/domain/cluster";
import { isGlob, isLiteralGlob } from "@fleet/domain/unit";

/** The query of a request for events is not valid. The message is for the client. */
export class InvalidFilterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidFilterError";
  }
}

/** Of one parameter: each event is held against all of them, for each reader. */
const MOST_VALUES = 64;

const PARAMETERS = ["unit", "machine", "kind", "follow"];

/** Which events a reader gets. One entry of each list must match; an empty list matches all. */
export class EventFilter {
  /** Names among `units`, found without a look at each. */
  readonly #names: ReadonlySet<string>;
  /** What is asked for, without names of units; null where only names are asked for. */
  readonly #byGlob: ClusterEventFilter | null;
  /** What is asked for beside names. */
  readonly #byName: ClusterEventFilter;

  constructor(units: readonly string[], machines: readonly string[], kinds: readonly EventKind[]) {
    const globs = units.filter((unit) => !isLiteralGlob(unit));
    this.#names = new Set(units.filter(isLiteralGlob));
    this.#byGlob = units.length > 0 && globs.length === 0 ? null : { units: globs, machines, kinds };
    this.#byName = { units: [], machines, kinds };
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
    for (const name of ["unit", "machine", "kind"]) {
      const count = values(query[name]).length;
      if (count > MOST_VALUES)
        throw new InvalidFilterError(`too many values of ${name}: ${count}, expected at most ${MOST_VALUES}`);
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

  passes(event: FleetEvent): boolean {
    if (event.unit !== undefined && this.#names.has(event.unit)) return passesFilter(this.#byName, event);
    return this.#byGlob !== null && passesFilter(this.#byGlob, event);
  }
}

/**
 * Whether the stream goes on after the events that are kept; `follow=false` in the query says no.
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
