import { object, part, string } from "./json-members.ts";
import type { UnitRecord } from "./records.ts";

/**
 * `versions/<name>/<id>`: a text that a unit came to have, or that it was destroyed. It is written in the transaction of that
 * change, and outlives the unit for a while.
 */
export interface VersionRecord {
  readonly kind: "version" | "destroyed";
  /** Counts the texts of a unit from 1 on; of a unit that was destroyed the last one's. */
  readonly number: number;
  /** Of the unit's file. */
  readonly hash: string;
  /** SHA-1 of the text, under `sources/` once the unit has another one. */
  readonly source: string;
  /** ISO 8601, by the clock of whoever carried it out. */
  readonly at: string;
  /** Who asked for it, as the server knows them; null: that is not known. */
  readonly by: string | null;
  /** Why, in the words of who asked for it; null: they gave none. */
  readonly message: string | null;
}

/** A version with its place in etcd. */
export interface KeptVersion extends VersionRecord {
  readonly id: string;
  readonly createRevision: number;
}

/** Who changes a unit, when and why. */
export interface ChangeStamp {
  /** Tells the changes of a unit apart: part of a key. */
  readonly id: string;
  readonly at: string;
  readonly by: string | null;
  readonly message: string | null;
}

/** How many versions of a unit are kept, the one that it has among them. */
export const MOST_VERSIONS = 10;
/** How long those of a unit that was destroyed are kept, in milliseconds. */
export const DESTROYED_KEPT_MS = 24 * 3_600_000;
/** Characters that a message may have. */
export const MOST_MESSAGE = 1_000;

export function encodeVersion({ kind, number, hash, source, at, by, message }: VersionRecord): string {
  return JSON.stringify({
    kind: kind === "version" ? undefined : kind,
    ...{ number, hash },
    source: source === hash ? undefined : source,
    at,
    by: by ?? undefined,
    message: message ?? undefined,
  });
}

/** Null: it is none that this version understands. */
export function decodeVersion(text: string): VersionRecord | null {
  const value = object(text);
  if (value === null) return null;
  const { kind = "version", number, at } = value;
  const hash = part(value.hash);
  const source = value.source === undefined ? hash : part(value.source);
  if (kind !== "version" && kind !== "destroyed") return null;
  if (typeof number !== "number" || typeof at !== "string" || hash === null || source === null) return null;
  return { kind, number, hash, source, at, by: string(value.by), message: string(value.message) };
}

/**
 * A unit's versions, the newest first, each under a number of its own: where an older version of fleet has written between
 * them, which counts none, the later ones count on.
 */
export function inOrder(versions: readonly KeptVersion[]): readonly KeptVersion[] {
  let last = 0;
  const counted = versions
    .toSorted((a, b) => a.createRevision - b.createRevision)
    .map((version) => {
      const number = version.kind === "destroyed" ? last : Math.max(version.number, last + 1);
      last = number;
      return { ...version, number };
    });
  return counted.reverse();
}

/** A version as users are told of it. */
export interface ToldVersion extends Pick<VersionRecord, "number" | "kind" | "hash"> {
  readonly time: string;
  readonly by?: string;
  readonly message?: string;
  /** True: it is the one that the unit has. */
  readonly current?: true;
}

/**
 * What users are told of a unit's versions, in the same order.
 *
 * @param record the unit's; null: there is no such unit
 */
export function tellVersions(
  versions: readonly KeptVersion[],
  record: Pick<UnitRecord, "hash" | "source"> | null,
): readonly ToldVersion[] {
  const isOfUnit = ({ kind, hash, source }: KeptVersion): boolean =>
    kind === "version" && record?.hash === hash && (record.source ?? record.hash) === source;
  return versions.map((version, index) => ({
    ...{ number: version.number, kind: version.kind, hash: version.hash, time: version.at },
    ...(version.by === null ? {} : { by: version.by }),
    ...(version.message === null ? {} : { message: version.message }),
    ...(index === 0 && isOfUnit(version) ? { current: true } : {}),
  }));
}

/** The version with a number, which has a text; null: there is none, or it is not kept. */
export function findVersion(versions: readonly KeptVersion[], number: number): KeptVersion | null {
  return versions.find((version) => version.kind === "version" && version.number === number) ?? null;
}

/**
 * The versions of a unit that are not kept any longer.
 *
 * @param isThere whether the cluster has the unit
 * @param now milliseconds since 1970
 */
export function outdatedVersions(
  versions: readonly KeptVersion[],
  isThere: boolean,
  now: number,
): readonly KeptVersion[] {
  const ordered = inOrder(versions);
  const [newest] = ordered;
  // A time that can't be read is no reason to throw anything away.
  if (!isThere && newest !== undefined && now - Date.parse(newest.at) > DESTROYED_KEPT_MS) return ordered;
  const tenth = ordered.filter(({ kind }) => kind === "version")[MOST_VERSIONS - 1];
  return tenth === undefined ? [] : ordered.slice(ordered.indexOf(tenth) + 1);
}
