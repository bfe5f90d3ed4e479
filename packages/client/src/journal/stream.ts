import type { JournalEnd, JournalEntry, JournalNote, JournalParameters } from "../description/link-schemas.ts";
import { openStream, readAgain, readJsonLines, type StreamRequest } from "../streams.ts";
import type { Transport } from "../transport.ts";
import { Position } from "./position.ts";

/** What to read of the journals of a cluster. */
export interface JournalQuery {
  /** Names or globs of units. */
  readonly units: readonly string[];
  /** IDs of machines; absent or empty: all. */
  readonly machines?: readonly string[];
  /** How many of the latest entries; absent: as the server does. */
  readonly lines?: number | "all";
  /** As journalctl takes them. */
  readonly since?: string;
  readonly until?: string;
  readonly priority?: string;
  readonly grep?: string;
  /** True: go on with what is written, until all units have ended or were destroyed. */
  readonly follow?: boolean;
  /** True: every field of each entry. */
  readonly allFields?: boolean;
}

/** What a stream of the journal yields. */
export type JournalItem =
  | { readonly kind: "entry"; readonly entry: JournalEntry }
  | { readonly kind: "note"; readonly note: JournalNote }
  /** The stream had broken, and goes on where it was, at this endpoint. */
  | { readonly kind: "resumed"; readonly where: string }
  /** The end of a stream that is whole. */
  | { readonly kind: "end"; readonly end: JournalEnd };

/**
 * Reads the journal until its end or until the signal aborts. A stream that breaks is taken up again after the last
 * entry of each machine, at the endpoint that answers then.
 *
 * @returns what has come together, together
 */
export async function* readJournal(
  transport: Transport,
  query: JournalQuery,
  signal: AbortSignal,
): AsyncGenerator<readonly JournalItem[]> {
  const cursors = new Map<string, string>();
  const positions = new Map<string, Position>();
  /** Notes what was read. Of a unit that arrived older lines may come last: a resumed stream tells again what is past them. */
  const isNew = ({ entry }: { readonly entry: JournalEntry }): boolean => {
    const position = positions.get(entry.machineID) ?? new Position(null);
    positions.set(entry.machineID, position);
    cursors.set(entry.machineID, entry.cursor);
    return position.take(entry);
  };
  let isWhole = false;
  let isFirst = true;
  async function* read(): AsyncGenerator<readonly JournalItem[]> {
    for await (const body of openStream(transport, requestFor(parametersOf(query, cursors)), signal)) {
      yield isFirst ? [] : [{ kind: "resumed", where: transport.where }];
      isFirst = false;
      for await (const values of readJsonLines(body)) {
        const items = values.flatMap(itemOf).filter((item) => item.kind !== "entry" || isNew(item));
        isWhole = items.some(({ kind }) => kind === "end");
        yield items;
        if (isWhole) return;
      }
    }
  }
  yield* readAgain(read, signal, () => isWhole);
}

/** A line of the stream; nothing for one of a newer server's. */
function itemOf(value: unknown): readonly JournalItem[] {
  const { entry, note, end } = value as { entry?: JournalEntry; note?: JournalNote; end?: JournalEnd };
  if (entry !== undefined) return [{ kind: "entry", entry }];
  if (note !== undefined) return [{ kind: "note", note }];
  return end === undefined ? [] : [{ kind: "end", end }];
}

/** A path of this length passes every proxy and server. */
const MOST_PATH = 4_000;

/** What is asked for: in the path, or in a body where that would be too long, as with the cursors of many machines. */
function requestFor(parameters: JournalParameters): StreamRequest {
  const type = "application/x-ndjson";
  const inPath = new URLSearchParams(
    Object.entries(parameters).flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, String(one)])),
  );
  const path = `/journal?${inPath}`;
  return path.length <= MOST_PATH ? { path, type } : { path: "/journal", type, body: parameters };
}

function parametersOf(query: JournalQuery, cursors: ReadonlyMap<string, string>): JournalParameters {
  const { units, machines = [], lines, since, until, priority, grep, follow = false, allFields = false } = query;
  return {
    unit: [...units],
    ...(machines.length === 0 ? {} : { machine: [...machines] }),
    ...(lines === undefined ? {} : { lines }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(priority === undefined ? {} : { priority }),
    ...(grep === undefined ? {} : { grep }),
    ...(follow ? { follow } : {}),
    ...(allFields ? { fields: "all" } : {}),
    ...(cursors.size === 0 ? {} : { after: [...cursors].map(([machine, cursor]) => `${machine}:${cursor}`) }),
  };
}
