import { decodeRoll, decodeRollCount, decodeRollProgress } from "../roll/records.ts";
import { isNameText } from "../unit/name.ts";
import { decodeLinkApi, decodeLinkCall } from "./link-records.ts";
import { isPlainPart } from "./plain-part.ts";
import {
  decodeCordon,
  decodeEnded,
  decodeKnownMachine,
  decodeLeader,
  decodeMachine,
  decodeMove,
  decodeSchedule,
  decodeState,
  decodeUnit,
} from "./records.ts";
import { decodeVersion } from "./unit-versions.ts";

/**
 * Every kind of key in etcd: where it lies, what its parts are called, and what its value is. A new kind is one entry here;
 * the types of keys, records and changes, and the copy in memory follow.
 *
 * `path`: a folder of keys, or with no `parts` one key. `parts`: how many parts a key has behind its folder. `writers`: the
 * parts of fleet that create, change or delete such keys: by that etcd's users have rights (docs/security.md). `key`: the key
 * taken apart. `byLast`: in memory keys of two parts are found by the second, then by the first. `decode`: null for a value
 * that nobody here understands.
 */
export const KINDS = {
  unit: {
    path: "units",
    parts: 1,
    writers: ["api", "engine"],
    decode: decodeUnit,
    key: (name: string) => ({ kind: "unit" as const, name }),
  },
  "unit-file": {
    ...{ path: "unit-files", parts: 1, writers: ["api", "engine"], decode: (text: string) => ({ text }) },
    key: (hash: string) => ({ kind: "unit-file" as const, hash }),
  },
  /** A text as its user wrote it. The folder lies in no range that is mirrored: few ever ask for one. */
  source: {
    ...{ path: "sources", parts: 1, writers: ["api", "engine"], decode: (text: string) => ({ text }) },
    key: (hash: string) => ({ kind: "source" as const, hash }),
  },
  /** What texts a unit has had. In no range that is mirrored, either. */
  version: {
    ...{ path: "versions", parts: 2, writers: ["api", "engine"], decode: decodeVersion },
    key: (name: string, id: string) => ({ kind: "version" as const, name, id }),
  },
  schedule: {
    ...{ path: "schedule", parts: 2, writers: ["api", "engine"], decode: decodeSchedule },
    key: (machineID: string, name: string) => ({ kind: "schedule" as const, machineID, name }),
  },
  global: {
    ...{ path: "global", parts: 1, writers: ["api", "engine"], decode: decodeSchedule },
    key: (name: string) => ({ kind: "global" as const, name }),
  },
  state: {
    ...{ path: "states", parts: 2, writers: ["agent"], byLast: true, decode: decodeState },
    key: (machineID: string, name: string) => ({ kind: "state" as const, machineID, name }),
  },
  machine: {
    ...{ path: "machines", parts: 1, writers: ["agent"], decode: decodeMachine },
    key: (id: string) => ({ kind: "machine" as const, id }),
  },
  "known-machine": {
    ...{ path: "known-machines", parts: 1, writers: ["agent", "api", "engine"], decode: decodeKnownMachine },
    key: (id: string) => ({ kind: "known-machine" as const, id }),
  },
  "machine-metadata": {
    ...{ path: "machine-metadata", parts: 2, writers: ["api"], decode: (value: string) => ({ value }) },
    key: (machineID: string, key: string) => ({ kind: "machine-metadata" as const, machineID, key }),
  },
  cordon: {
    ...{ path: "cordons", parts: 1, writers: ["api"], decode: decodeCordon },
    key: (machineID: string) => ({ kind: "cordon" as const, machineID }),
  },
  ended: {
    ...{ path: "ended", parts: 2, writers: ["agent", "api", "engine"], byLast: true, decode: decodeEnded },
    key: (machineID: string, name: string) => ({ kind: "ended" as const, machineID, name }),
  },
  /** A note that something was deleted: late creations of it compare that. */
  deletion: {
    ...{ path: "deletions", parts: 1, writers: ["api", "engine"], decode: (key: string) => ({ key }) },
    key: (slot: string) => ({ kind: "deletion" as const, slot }),
  },
  move: {
    path: "moves",
    parts: 1,
    writers: ["api", "engine"],
    decode: decodeMove,
    key: (name: string) => ({ kind: "move" as const, name }),
  },
  /** What a roll is to do, and how far it is. */
  roll: {
    ...{ path: "rolls", parts: 1, writers: ["api"], decode: decodeRoll },
    key: (id: string) => ({ kind: "roll" as const, id }),
  },
  "roll-progress": {
    ...{ path: "roll-progress", parts: 1, writers: ["api", "engine"], decode: decodeRollProgress },
    key: (id: string) => ({ kind: "roll-progress" as const, id }),
  },
  /** How many rolls there have been: of two that are made at once, one has to look again. */
  "roll-count": {
    ...{ path: "roll-count/last", parts: 0, writers: ["api"], decode: decodeRollCount },
    key: () => ({ kind: "roll-count" as const }),
  },
  "link-api": {
    ...{ path: "apis", parts: 1, writers: ["api"], decode: decodeLinkApi },
    key: (id: string) => ({ kind: "link-api" as const, id }),
  },
  "link-call": {
    ...{ path: "calls", parts: 2, writers: ["api", "agent"], decode: decodeLinkCall },
    key: (machineID: string, id: string) => ({ kind: "link-call" as const, machineID, id }),
  },
  leader: {
    path: "engine/leader",
    parts: 0,
    writers: ["engine"],
    decode: decodeLeader,
    key: () => ({ kind: "leader" as const }),
  },
  "engine-version": {
    ...{ path: "engine/version", parts: 0, writers: ["engine"] },
    decode: (text: string) => (/^\d{1,9}$/.test(text) ? { version: Number(text) } : null),
    key: () => ({ kind: "engine-version" as const }),
  },
} as const;

/** The name of a kind of key. */
export type Kind = keyof typeof KINDS;

/** What the value of a kind of key is. */
export type RecordOf<K extends Kind> = NonNullable<ReturnType<(typeof KINDS)[K]["decode"]>>;

/** A key of a kind, taken apart. */
export type KeyOf<K extends Kind> = Readonly<ReturnType<(typeof KINDS)[K]["key"]>>;

/** Which of fleet's keys a key is, taken apart. */
export type ParsedKey = { [K in Kind]: KeyOf<K> }[Kind];

/** The parts of a key behind its folder; empty where it has fewer. */
export interface KeyParts {
  readonly kind: Kind;
  readonly first: string;
  readonly second: string;
}

/** The kinds whose keys end in the name of a unit. */
const OF_UNITS: ReadonlySet<Kind> = new Set<Kind>(["unit", "schedule", "global", "state", "ended", "move"]);

const BY_PATH: ReadonlyMap<string, Kind> = new Map(
  (Object.keys(KINDS) as Kind[]).map((kind) => [KINDS[kind].path, kind]),
);

/**
 * Takes a key apart that has lost the cluster's prefix; null where it is of no kind, and "refused" where it is of one, and
 * its parts are none that fleet would write.
 */
export function partsOf(rest: string): KeyParts | "refused" | null {
  const slash = rest.indexOf("/");
  const kind = BY_PATH.get(rest.slice(0, slash));
  if (kind === undefined) {
    const single = BY_PATH.get(rest);
    return single === undefined || KINDS[single].parts !== 0 ? null : { kind: single, first: "", second: "" };
  }
  const parts = rest.slice(slash + 1).split("/");
  const name = parts.at(-1) ?? "";
  const isRefused =
    parts.length !== KINDS[kind].parts || !parts.every(isPlainPart) || (OF_UNITS.has(kind) && !isNameText(name));
  return isRefused ? "refused" : { kind, first: parts[0] ?? "", second: parts[1] ?? "" };
}

/** The same with the names that the parts of its kind have. */
export function parsedKey({ kind, first, second }: KeyParts): ParsedKey {
  return (KINDS[kind].key as (first: string, second: string) => ParsedKey)(first, second);
}
