import { type EntrySource, readEntry, type TimedEntry } from "@fleet/client/journal";
import type { Answer, AskOptions, JournalQuestion, LinkError, Question } from "@fleet/link";
import { clockSkew } from "./clock-skew.ts";
import { JournalLines } from "./journal-lines.ts";

/** Who asks machines: the API's end of the link. */
export interface Asker {
  ask(machineID: string, question: Question, options?: AskOptions): AsyncIterable<Answer>;
}

/** What is asked of one machine's journal. */
export interface MachineQuestion {
  readonly source: EntrySource;
  readonly question: JournalQuestion;
  /** Hears, before any entry, that the machine's clock is off: by so many milliseconds ahead of ours, or behind. */
  readonly onSkew: (skewMs: number) => Promise<void>;
}

/**
 * The entries of one machine, as they come: what has come together, together. An empty list, at first, says that the
 * machine answers.
 *
 * @throws LinkError
 */
export async function* machineJournal(
  asker: Asker,
  { source, question, onSkew }: MachineQuestion,
  signal: AbortSignal,
): AsyncGenerator<readonly TimedEntry[], void> {
  const lines = new JournalLines();
  const askedAt = Date.now();
  for await (const { journal: chunk } of asker.ask(source.machineID, { journal: question }, { signal })) {
    if (chunk === undefined) continue;
    const skew =
      chunk.timeMs === undefined ? null : clockSkew({ askedAt, heardAt: Date.now(), machineTime: chunk.timeMs });
    if (skew !== null) await onSkew(skew);
    const entries: TimedEntry[] = [];
    for (const line of lines.take(chunk.json)) {
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
