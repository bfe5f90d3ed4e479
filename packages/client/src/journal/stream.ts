import type { JournalEnd, JournalEntry, JournalNote } from "../description/link-schemas.ts";
import { openStream, readAgain, readJsonLines } from "../streams.ts";
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
    const path = `/journal?${parametersOf(query, cursors)}`;
    for await (const body of openStream(transport, path, "application/x-ndjson", signal)) {
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

function parametersOf(query: JournalQuery, cursors: ReadonlyMap<string, string>): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const unit of query.units) parameters.append("unit", unit);
  for (const machine of query.machines ?? []) parameters.append("machine", machine);
  const { lines, since, until, priority, grep } = query;
  for (const [name, value] of Object.entries({ lines, since, until, priority, grep }))
    if (value !== undefined) parameters.append(name, String(value));
  if (query.follow === true) parameters.append("follow", "true");
  if (query.allFields === true) parameters.append("fields", "all");
  for (const [machine, cursor] of cursors) parameters.append("after", `${machine}:${cursor}`);
  return parameters;
}
