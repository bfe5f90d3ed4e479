import { InvalidUnitError } from "../unit/errors.ts";
import { hashText, invalidOption, parseUnitFile, serializeUnitFile, type UnitOption } from "../unit/file.ts";
import { fleetSectionOf } from "../unit/fleet-section.ts";
import { isTemplateName, refusedNameProblem } from "../unit/name.ts";
import { checkRequirements, type Requirements, readRequirements, sameRequirements } from "../unit/requirements.ts";
import type { DesiredState } from "../unit/states.ts";
import { change } from "../whereabouts/change.ts";
import { recordOps, scheduleOps } from "../whereabouts/schedule-ops.ts";
import { NOWHERE, scheduledTo, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { RegistryError } from "./errors.ts";
import type { Keys } from "./keys.ts";
import type { Compare, Op } from "./op.ts";
import type { UnitRecord } from "./records.ts";
import type { Versioned } from "./state.ts";
import { sourceOf, type UnitSource } from "./unit-source.ts";
import { type ChangeStamp, encodeVersion } from "./unit-versions.ts";

/** What a user asks for: a unit to be there with these options and this desired state, or not to be there. */
export type UnitChange =
  | {
      readonly kind: "set";
      readonly name: string;
      /** Null: those that it has. */
      readonly options: readonly UnitOption[] | null;
      /** What the options were read from, as the user wrote it; null or absent: that is not known. */
      readonly text?: string | null;
      /** Null: only allowed where options are given for an unknown unit; it is then inactive. */
      readonly desiredState: DesiredState | null;
      /** The machine that is tried first where there is no such unit yet, as one that has it already; absent: any. */
      readonly prefers?: string;
      /**
       * A machine that has a unit of this name, as one that is stopping it; absent: none does. One that must not run twice at
       * once is placed when that machine has let go of it.
       */
      readonly heldBy?: string;
    }
  | { readonly kind: "destroy"; readonly name: string };

/** What a change came to. */
export type UnitOutcome = "created" | "replaced" | "changed" | "unchanged" | "destroyed";

/** A unit as it was read, with its file's text where that matters. */
export interface KnownUnit {
  readonly record: Versioned<UnitRecord>;
  readonly text: string | null;
}

/** A change as one etcd transaction. */
export interface PlannedChange {
  readonly compare: Compare;
  readonly ops: readonly Op[];
  readonly outcome: UnitOutcome;
}

/**
 * Checks a unit as a user hands it over: name, options, and whether its requirements can hold together.
 *
 * @throws InvalidUnitError
 */
export function checkUnit(name: string, options: readonly UnitOption[]): void {
  checkName(name);
  if (options.length === 0)
    throw new InvalidUnitError(`unit ${name} has no options: at least one Name=value is needed`);
  const badOption = invalidOption(options);
  if (badOption !== null) throw new InvalidUnitError(`unit ${name}: ${badOption}`);
  checkRequirements(name, readRequirements(name, options));
}

function checkName(name: string): void {
  const problem = refusedNameProblem(name);
  if (problem !== null) throw new InvalidUnitError(`unit name ${JSON.stringify(name)} is not valid: ${problem}`);
}

/**
 * Turns a change into a transaction on what is known of the unit. The transaction holds only if the unit still is as
 * known, and keeps `units/`, `schedule/` and `global/` in step.
 *
 * @param known null: there is no such unit
 * @param stamp for the unit's history; null: none is kept of this change
 * @throws InvalidUnitError for what can never be, RegistryError `refused` or `not-found` for what can't be now
 */
export function planUnitChange(
  keys: Keys,
  change: UnitChange,
  known: KnownUnit | null,
  stamp: ChangeStamp | null = null,
): PlannedChange {
  const { name } = change;
  if (change.kind === "set") return planSet(keys, change, known, stamp);
  if (known === null) throw new RegistryError("not-found", `unit ${name} does not exist`);
  return {
    compare: { key: keys.unit(name), modRevision: known.record.modRevision },
    ops: [
      { delete: keys.unit(name) },
      ...scheduleOps(keys, name, known.record, null),
      ...historyOps(keys, name, known, null, stamp),
    ],
    outcome: "destroyed",
  };
}

/** Whether a change can only be planned with the file that a unit has, which is not at hand: its history may get that. */
export function needsFile(change: UnitChange, known: KnownUnit | null): boolean {
  const mayLeave = change.kind === "destroy" || change.options !== null;
  return mayLeave && known !== null && known.text === null && known.record.source === undefined;
}

/**
 * What a unit's history gets of a change of its text: a note of it, and the text that the unit had, for its file will go.
 *
 * @param after null: it is destroyed
 */
function historyOps(
  keys: Keys,
  name: string,
  known: KnownUnit | null,
  after: UnitRecord | null,
  stamp: ChangeStamp | null,
): readonly Op[] {
  const of = after ?? known?.record;
  if (stamp === null || of === undefined) return [];
  const { id, at, by, message } = stamp;
  const { hash, source = hash, version: number = 0 } = of;
  const kind = after === null ? "destroyed" : "version";
  const note: Op = {
    put: keys.version(name, id),
    value: encodeVersion({ kind, number, hash, source, at, by, message }),
  };
  if (known?.text == null || known.record.source !== undefined) return [note];
  return [note, { put: keys.source(known.record.hash), value: known.text }];
}

/** A version of a unit as it is handed over. */
interface Version {
  readonly options: readonly UnitOption[];
  /** The file that fleet writes out of them. */
  readonly text: string;
  readonly hash: string;
  /** What it was read from, where that is kept; null: it is the file itself; undefined: it is not known. */
  readonly source: UnitSource | null | undefined;
  /** Where it is tried first if it is the unit's first version; null: anywhere. */
  readonly prefers: string | null;
  /** The machine that has an earlier one; null: none does. */
  readonly heldBy: string | null;
}

function planSet(
  keys: Keys,
  change: Extract<UnitChange, { kind: "set" }>,
  known: KnownUnit | null,
  stamp: ChangeStamp | null,
): PlannedChange {
  const { name } = change;
  const desiredState = change.desiredState ?? (known === null ? "inactive" : known.record.desiredState);
  // What an earlier version took can still be stopped and destroyed.
  if (known === null || desiredState !== "inactive") checkName(name);
  if (desiredState !== "inactive" && isTemplateName(name)) {
    throw new InvalidUnitError(`unit ${name} is a template: it can't be ${desiredState}; use an instance of it`);
  }
  const version = versionOf(change);
  if (version !== null && known?.record.hash !== version.hash)
    return newVersion(keys, name, version, desiredState, known, stamp);
  if (known === null) {
    throw new RegistryError("refused", `unit ${name} does not exist and options field empty`);
  }
  if (change.desiredState === null) {
    throw new RegistryError("refused", `unit ${name} exists: must provide desiredState to update existing unit`);
  }
  const asked = { desiredState, source: version?.source, heldBy: change.heldBy ?? null };
  return sameVersion(keys, name, asked, known, stamp);
}

/** The version that a change brings; null: none. */
function versionOf({ name, options, text, prefers, heldBy }: Extract<UnitChange, { kind: "set" }>): Version | null {
  if (options === null) {
    if (text == null) return null;
    throw new InvalidUnitError(`the text of unit ${name} came without options: send both, or neither`);
  }
  checkUnit(name, options);
  const file = serializeUnitFile(options);
  const hash = hashText(file);
  const source = text == null ? undefined : sourceOf(name, text, hash);
  return { options, text: file, hash, source, prefers: prefers ?? null, heldBy: heldBy ?? null };
}

/** What is asked of the version that a unit has. */
interface SameAsked extends Pick<Version, "heldBy"> {
  readonly desiredState: DesiredState;
  /** The text that it is read from; undefined: what is known of it stays. */
  readonly source: UnitSource | null | undefined;
}

/** The same version of a unit with another desired state, or read from another text. */
function sameVersion(
  keys: Keys,
  name: string,
  { source, desiredState, heldBy }: SameAsked,
  known: KnownUnit,
  stamp: ChangeStamp | null,
): PlannedChange {
  const { record } = known;
  const compare: Compare = { key: keys.unit(name), modRevision: record.modRevision };
  const isAsked = record.desiredState !== desiredState;
  const hasNewSource = source !== undefined && source?.hash !== record.source;
  if (!isAsked && !hasNewSource) return { compare, ops: [], outcome: "unchanged" };
  const requirements = heldBy === null ? null : knownRequirements(name, known);
  const asked = isAsked ? withState(record, desiredState) : record;
  const stated = requirements === null ? asked : { ...asked, whereabouts: unlessHeld(asked, requirements, heldBy) };
  const after = hasNewSource ? { ...withSource(stated, source), version: nextVersion(record) } : stated;
  const ops = [
    ...sourceOps(keys, hasNewSource ? source : undefined),
    ...recordOps(keys, name, record, after),
    ...(isAsked ? endedOps(keys, name, record) : []),
    ...(hasNewSource ? historyOps(keys, name, known, after, stamp) : []),
  ];
  return { compare, ops, outcome: "changed" };
}

/** What a unit asks for as it is known; null: neither its record nor its file tells. */
function knownRequirements(name: string, { record, text }: KnownUnit): Requirements | null {
  const told = record.section ?? text;
  return told === null ? null : readRequirements(name, parseUnitFile(told));
}

/** Where a unit is that may be on no machine yet: one that must not run twice at once leaves the machine first that has it. */
function unlessHeld(
  { whereabouts, desiredState }: Pick<UnitRecord, "whereabouts" | "desiredState">,
  { onPartition, global }: Requirements,
  heldBy: string | null,
): Whereabouts {
  const mayRun = heldBy === null || desiredState === "inactive" || onPartition !== "stop" || global;
  if (mayRun || whereabouts.kind !== "nowhere") return whereabouts;
  return { kind: "leaving", from: heldBy, last: whereabouts.last, preferred: whereabouts.preferred };
}

function withState(record: UnitRecord, desiredState: DesiredState): UnitRecord {
  const isGone = desiredState === "inactive";
  // Whoever asks for something else, and then for a start, wants a oneshot that has ended to run once more.
  const { ended: _ended, ...rest } = record;
  return {
    ...rest,
    desiredState,
    whereabouts: isGone ? NOWHERE : record.whereabouts,
    cause: isGone ? null : record.cause,
  };
}

const nextVersion = (record: UnitRecord | null): number => (record?.version ?? 0) + 1;

function withSource(record: UnitRecord, source: UnitSource | null): UnitRecord {
  const { source: _source, ...rest } = record;
  return source === null ? rest : { ...rest, source: source.hash };
}

function sourceOps(keys: Keys, source: UnitSource | null | undefined): Op[] {
  return source == null ? [] : [{ put: keys.source(source.hash), value: source.text }];
}

/** Takes back the note that a oneshot has ended where it is. */
function endedOps(keys: Keys, name: string, { desiredState, whereabouts }: UnitRecord): Op[] {
  const on = scheduledTo(whereabouts);
  return desiredState === "launched" && on !== null ? [{ delete: keys.ended(on, name) }] : [];
}

/**
 * A new version of a unit. Where it asks for the same machine as the old one it stays where it is; else it is placed anew
 * by the engine, so that no machine ever holds a unit that does not fit it.
 */
function newVersion(
  keys: Keys,
  name: string,
  { options, text, hash, source, prefers, heldBy }: Version,
  desiredState: DesiredState,
  known: KnownUnit | null,
  stamp: ChangeStamp | null,
): PlannedChange {
  const requirements = readRequirements(name, options);
  const old = known?.record ?? null;
  const before = known === null ? null : knownRequirements(name, known);
  const staysPut = before !== null && desiredState !== "inactive" && sameRequirements(requirements, before);
  const isPlacedAnew = desiredState !== "inactive" && !requirements.global;
  const isPreferred = old === null && prefers !== null && !requirements.global;
  const was = old?.whereabouts ?? NOWHERE;
  const place = (): Whereabouts => change(was, { kind: isPlacedAnew ? "new-version" : "unplace" });
  const whereabouts = isPreferred ? { ...NOWHERE, last: prefers } : staysPut ? was : place();
  const section = fleetSectionOf(options);
  const record: UnitRecord = {
    hash,
    ...(section === null ? {} : { section }),
    ...(source == null ? {} : { source: source.hash }),
    desiredState,
    global: requirements.global,
    whereabouts: unlessHeld({ whereabouts, desiredState }, requirements, heldBy),
    cause: staysPut ? (old?.cause ?? null) : null,
    version: nextVersion(old),
  };
  return {
    compare: { key: keys.unit(name), modRevision: old?.modRevision ?? 0 },
    ops: [
      { put: keys.unitFile(hash), value: text },
      ...sourceOps(keys, source),
      ...recordOps(keys, name, old, record),
      ...historyOps(keys, name, known, record, stamp),
    ],
    outcome: old === null ? "created" : "replaced",
  };
}
