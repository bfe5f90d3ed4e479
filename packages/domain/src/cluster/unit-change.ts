import { InvalidUnitError } from "../unit/errors.ts";
import { hashText, invalidOption, parseUnitFile, serializeUnitFile, type UnitOption } from "../unit/file.ts";
import { isTemplateName, unitNameProblem } from "../unit/name.ts";
import { checkRequirements, readRequirements, sameRequirements } from "../unit/requirements.ts";
import type { DesiredState } from "../unit/states.ts";
import { RegistryError } from "./errors.ts";
import type { Keys } from "./keys.ts";
import type { Compare, Op } from "./op.ts";
import { encodeSchedule, encodeUnit, type UnitRecord } from "./records.ts";
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
  const problem = unitNameProblem(name);
  if (problem !== null) throw new InvalidUnitError(`unit name ${JSON.stringify(name)} is not valid: ${problem}`);
  if (options.length === 0)
    throw new InvalidUnitError(`unit ${name} has no options: at least one Name=value is needed`);
  const badOption = invalidOption(options);
  if (badOption !== null) throw new InvalidUnitError(`unit ${name}: ${badOption}`);
  checkRequirements(name, readRequirements(name, options));
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
      ops: [{ delete: keys.unit(name) }, ...unscheduleOps(keys, name, known.record)],
      outcome: "destroyed",
    };
  }
  const problem = known === null ? unitNameProblem(name) : null;
  if (problem !== null) throw new InvalidUnitError(`unit name ${JSON.stringify(name)} is not valid: ${problem}`);
  const desiredState = change.desiredState ?? (known === null ? "inactive" : known.record.desiredState);
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
  const record: UnitRecord = {
    ...known.record,
    desiredState,
    ...(desiredState === "inactive" ? NOWHERE : {}),
  };
  return { compare, ops: unitOps(keys, name, record, known.record), outcome: "changed" };
}

/** Of a unit that is to be on no machine. */
const NOWHERE = {
  machineID: null,
  lastMachineID: null,
  leaving: null,
  wish: null,
  movingTo: null,
  cause: null,
} as const;

/**
 * A new version of a unit. Where it asks for the same machine as the old one it stays there; else it is freed, and the
 * engine places it anew, so that no machine ever holds a unit that does not fit it.
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
    old !== null &&
    known?.text != null &&
    desiredState !== "inactive" &&
    sameRequirements(requirements, readRequirements(name, parseUnitFile(known.text)));
  const record: UnitRecord = {
    hash,
    desiredState,
    global: requirements.global,
    machineID: staysPut ? old.machineID : null,
    lastMachineID: staysPut || desiredState === "inactive" ? null : (old?.machineID ?? null),
    // The old version has still to leave its machine before the new one may be anywhere.
    leaving: desiredState === "inactive" || requirements.global ? null : (old?.leaving ?? null),
    wish: staysPut ? old.wish : null,
    movingTo: staysPut ? old.movingTo : null,
    cause: staysPut ? old.cause : null,
  };
  return {
    compare: { key: keys.unit(name), modRevision: old?.modRevision ?? 0 },
    ops: [{ put: keys.unitFile(hash), value: text }, ...unitOps(keys, name, record, old)],
    outcome: old === null ? "created" : "replaced",
  };
}

/** Writes a unit's record, and what agents are to do about it. */
function unitOps(keys: Keys, name: string, record: UnitRecord, old: UnitRecord | null): Op[] {
  const ops: Op[] = [{ put: keys.unit(name), value: encodeUnit(record) }];
  const wanted = record.desiredState !== "inactive";
  const isGlobal = wanted && record.global;
  const machineID = wanted && !record.global ? record.machineID : null;
  if (isGlobal) ops.push({ put: keys.global(name), value: encodeSchedule(record) });
  if (machineID !== null) ops.push({ put: keys.schedule(machineID, name), value: encodeSchedule(record) });
  const movingTo = machineID === null ? null : record.movingTo;
  if (movingTo !== null) ops.push({ put: keys.schedule(movingTo, name), value: encodeSchedule(record) });
  if (old !== null) {
    if (old.movingTo !== null && old.movingTo !== movingTo) ops.push({ delete: keys.schedule(old.movingTo, name) });
    if (old.global && !isGlobal) ops.push({ delete: keys.global(name) });
    if (old.machineID !== null && old.machineID !== machineID) ops.push({ delete: keys.schedule(old.machineID, name) });
  }
  return ops;
}

function unscheduleOps(keys: Keys, name: string, record: UnitRecord): Op[] {
  const ops: Op[] = [];
  if (record.global) ops.push({ delete: keys.global(name) });
  if (record.machineID !== null) ops.push({ delete: keys.schedule(record.machineID, name) });
  if (record.movingTo !== null) ops.push({ delete: keys.schedule(record.movingTo, name) });
  return ops;
}
