import { type EntrySource, readEntry, type TimedEntry } from "@fleet/client/journal";
import type { Answer, AskOptions, JournalQuestion, LinkError, Question } from "@fleet/link";
import { JournalLines } from "./journal-lines.ts";

/** Who asks machines: the API's end of the link. */
export interface Asker {
  ask(machineID: string, question: Question, options?: AskOptions): AsyncIterable<Answer>;
}

/**
 * The entries of one machine, as they come: what has come together, together. An empty list, at first, says that the
 * machine answers.
 *
 * @throws LinkError
 */
export async function* machineJournal(
  asker: Asker,
  source: EntrySource,
  journal: JournalQuestion,
  signal: AbortSignal,
): AsyncGenerator<readonly TimedEntry[], void> {
  const lines = new JournalLines();
  for await (const { journal: chunk } of asker.ask(source.machineID, { journal }, { signal })) {
    const entries: TimedEntry[] = [];
    for (const line of chunk === undefined ? [] : lines.take(chunk.json)) {
      const entry = readEntry(line, source);
      if (entry !== null) entries.push(entry);
    }
    yield entries;
  }
}

/** Whether a machine may answer the same question later. */
export function isAway(error: LinkError): boolean {
  return error.code === "no-answer" || error.code === "broken";
}
