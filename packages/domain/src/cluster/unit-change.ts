import { InvalidUnitError } from "../unit/errors.ts";
import { hashText, invalidOption, parseUnitFile, serializeUnitFile, type UnitOption } from "../unit/file.ts";
import { isTemplateName, refusedNameProblem } from "../unit/name.ts";
import { checkRequirements, readRequirements, sameRequirements } from "../unit/requirements.ts";
import type { DesiredState } from "../unit/states.ts";
import { change } from "../whereabouts/change.ts";
import { recordOps, scheduleOps } from "../whereabouts/schedule-ops.ts";
import { NOWHERE, scheduledTo } from "../whereabouts/whereabouts.ts";
import { RegistryError } from "./errors.ts";
import type { Keys } from "./keys.ts";
import type { Compare, Op } from "./op.ts";
import type { UnitRecord } from "./records.ts";
import type { Versioned } from "./state.ts";

/** What a user asks for: a unit to be there with these options and this desired state, or not to be there. */
export type UnitChange =
  | {
      readonly kind: "set";
      readonly name: string;
      /** Null: those that it has. */
      readonly options: readonly UnitOption[] | null;
      /** Null: only allowed where options are given for an unknown unit; it is then inactive. */
      readonly desiredState: DesiredState | null;
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
 * @throws InvalidUnitError for what can never be, RegistryError `refused` or `not-found` for what can't be now
 */
export function planUnitChange(keys: Keys, change: UnitChange, known: KnownUnit | null): PlannedChange {
  const { name } = change;
  const compare: Compare = { key: keys.unit(name), modRevision: known?.record.modRevision ?? 0 };
  if (change.kind === "destroy") {
    if (known === null) throw new RegistryError("not-found", `unit ${name} does not exist`);
    return {
      compare,
      ops: [{ delete: keys.unit(name) }, ...scheduleOps(keys, name, known.record, null)],
      outcome: "destroyed",
    };
  }
  const desiredState = change.desiredState ?? (known === null ? "inactive" : known.record.desiredState);
  // What an earlier version took can still be stopped and destroyed.
  if (known === null || desiredState !== "inactive") checkName(name);
  if (desiredState !== "inactive" && isTemplateName(name)) {
    throw new InvalidUnitError(`unit ${name} is a template: it can't be ${desiredState}; use an instance of it`);
  }
  if (change.options !== null) {
    checkUnit(name, change.options);
    const text = serializeUnitFile(change.options);
    const hash = hashText(text);
    if (known === null || known.record.hash !== hash) {
      return newVersion(keys, name, hash, text, desiredState, known, change.options);
    }
  }
  if (known === null) {
    throw new RegistryError("refused", `unit ${name} does not exist and options field empty`);
  }
  if (change.desiredState === null) {
    throw new RegistryError("refused", `unit ${name} exists: must provide desiredState to update existing unit`);
  }
  if (known.record.desiredState === desiredState) return { compare, ops: [], outcome: "unchanged" };
  const isGone = desiredState === "inactive";
  // Whoever asks for something else, and then for a start, wants a oneshot that has ended to run once more.
  const { ended: _ended, ...rest } = known.record;
  const record: UnitRecord = {
    ...rest,
    desiredState,
    whereabouts: isGone ? NOWHERE : known.record.whereabouts,
    cause: isGone ? null : known.record.cause,
  };
  const ops = [...recordOps(keys, name, known.record, record), ...endedOps(keys, name, known.record)];
  return { compare, ops, outcome: "changed" };
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
  hash: string,
  text: string,
  desiredState: DesiredState,
  known: KnownUnit | null,
  options: readonly UnitOption[],
): PlannedChange {
  const requirements = readRequirements(name, options);
  const old = known?.record ?? null;
  const staysPut =
    known?.text != null &&
    desiredState !== "inactive" &&
    sameRequirements(requirements, readRequirements(name, parseUnitFile(known.text)));
  const isPlacedAnew = desiredState !== "inactive" && !requirements.global;
  const before = old?.whereabouts ?? NOWHERE;
  const record: UnitRecord = {
    hash,
    desiredState,
    global: requirements.global,
    whereabouts: staysPut ? before : change(before, { kind: isPlacedAnew ? "new-version" : "unplace" }),
    cause: staysPut ? (old?.cause ?? null) : null,
  };
  return {
    compare: { key: keys.unit(name), modRevision: old?.modRevision ?? 0 },
    ops: [{ put: keys.unitFile(hash), value: text }, ...recordOps(keys, name, old, record)],
    outcome: old === null ? "created" : "replaced",
  };
}
