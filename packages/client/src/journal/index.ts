/** What a line of `journalctl --output=json` says, and in which order entries stand: for all who read journals of machines. */
export { type EntrySource, readEntry, type TimedEntry, timestampOf } from "./entry.ts";
export { mergeByTime } from "./merge.ts";
export { Position } from "./position.ts";
