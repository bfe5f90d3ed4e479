import type { JournalEnd, JournalEntry, JournalNote, UsageSample } from "@fleet/client/description";

/** One item of a stream of what machines answer. */
export type JournalItem =
  | { readonly sample: UsageSample }
  | { readonly entry: JournalEntry }
  | { readonly note: JournalNote }
  | { readonly end: JournalEnd };

/** Who reads a stream of the journal. */
export interface JournalReader {
  /** Sends items. Fulfilled when there is room for more; at once where nobody reads any more. */
  write(items: readonly JournalItem[]): Promise<void>;
}
