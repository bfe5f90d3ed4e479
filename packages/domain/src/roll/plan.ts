import { RegistryError } from "../cluster/errors.ts";
import type { UnitRecord } from "../cluster/records.ts";
import { checkUnit } from "../cluster/unit-change.ts";
import { InvalidUnitError, UnitFileError } from "../unit/errors.ts";
import { checkUnitSize, hashText, hashUnitFile, parseUnitFile, type UnitOption } from "../unit/file.ts";
import { refusedNameProblem } from "../unit/name.ts";
import { readRequirements } from "../unit/requirements.ts";
import { MOST_ROLL_UNITS, type RollRecord, type RollUnit, type TextRef } from "./records.ts";

/** How long a unit has to be up where nobody says how long, in seconds. */
const DEFAULT_SETTLE_S = 10;

/** A roll as it is asked for; times are in seconds. */
export interface AskedRoll {
  readonly kind: RollRecord["kind"];
  /** `text`: the new version as its user wrote it; absent: it is restarted. */
  readonly units: readonly { readonly name: string; readonly text?: string }[];
  /** A number, or a part of the units as in `25%`, which is at least one of them; absent: 1. */
  readonly maxUnavailable?: string;
  /** Absent: 0. */
  readonly pauseSeconds?: number;
  /** Absent: 10. */
  readonly settleSeconds?: number;
  readonly canary?: number;
  /** Absent: stop. */
  readonly onFailure?: RollRecord["onFailure"];
  readonly message?: string;
}

/** A roll that may begin. */
export interface PlannedRoll {
  readonly roll: RollRecord;
  /** The texts of its new versions, by hash. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Makes a roll of what is asked for: all of it can be done, or nothing is.
 *
 * @param author who asks for it, and when; `by` null: that is not known
 * @param recordOf null: there is no such unit
 * @param sizeLimit most bytes of a unit's text; absent: the default
 * @throws InvalidUnitError for what can never be, RegistryError `refused` for what can't be now
 */
export function planRoll(
  asked: AskedRoll,
  { by, at }: { readonly by: string | null; readonly at: Date },
  recordOf: (name: string) => UnitRecord | null,
  sizeLimit?: number,
): PlannedRoll {
  const { kind, units, maxUnavailable = "1", pauseSeconds = 0, settleSeconds = DEFAULT_SETTLE_S } = asked;
  const { canary = null, onFailure = "stop", message = "" } = asked;
  if (kind === "restart" && onFailure === "undo")
    throw new InvalidUnitError("a restart can't be undone: there is no earlier version to go back to");
  if (units.length === 0 || units.length > MOST_ROLL_UNITS)
    throw new InvalidUnitError(`the roll has ${units.length} units: expected 1 to ${MOST_ROLL_UNITS}`);
  const sources = new Map<string, string>();
  const seen = new Set<string>();
  const planned = units.map(({ name, text }): RollUnit => {
    if (seen.has(name)) throw new InvalidUnitError(`unit ${name} is in the roll twice`);
    seen.add(name);
    const from = rollable(name, recordOf(name));
    if (kind === "restart") return { name, from, to: from };
    if (text === undefined) throw new InvalidUnitError(`unit ${name} has no text: a roll that replaces needs one`);
    const to = newText(name, text, sizeLimit);
    sources.set(to.source, text);
    return { name, from, to };
  });
  const roll: RollRecord = {
    ...{ kind, units: planned, maxUnavailable: countOf(maxUnavailable, units.length) },
    ...{ pauseMs: pauseSeconds * 1_000, settleMs: settleSeconds * 1_000, canary, onFailure },
    ...{ by, message: message === "" ? null : message, at: at.toISOString() },
  };
  return { roll, sources };
}

/** What a unit has now. */
function rollable(name: string, record: UnitRecord | null): TextRef {
  const problem = refusedNameProblem(name);
  if (problem !== null) throw new InvalidUnitError(`unit name ${JSON.stringify(name)} is not valid: ${problem}`);
  if (record === null) throw new RegistryError("refused", `unit ${name} does not exist`);
  if (record.global) throw new RegistryError("refused", `unit ${name} is global: only scheduled units can be rolled`);
  if (record.desiredState !== "launched")
    throw new RegistryError("refused", `unit ${name} is ${record.desiredState}: only launched units can be rolled`);
  return { hash: record.hash, source: record.source ?? record.hash };
}

function newText(name: string, text: string, sizeLimit: number | undefined): TextRef {
  const options = optionsIn(name, text);
  checkUnitSize(name, options, sizeLimit, text);
  checkUnit(name, options);
  if (readRequirements(name, options).global)
    throw new InvalidUnitError(`the new version of unit ${name} is global: only scheduled units can be rolled`);
  return { hash: hashUnitFile(options), source: hashText(text) };
}

function optionsIn(name: string, text: string): readonly UnitOption[] {
  try {
    return parseUnitFile(text);
  } catch (error) {
    if (error instanceof UnitFileError) throw new InvalidUnitError(`unit ${name}: ${error.message}`);
    throw error;
  }
}

function countOf(maxUnavailable: string, units: number): number {
  const number = /^([1-9]\d{0,5})(%?)$/.exec(maxUnavailable);
  if (number === null || (number[2] === "%" && Number(number[1]) > 100))
    throw new InvalidUnitError(
      `invalid limit of unavailable units ${JSON.stringify(maxUnavailable)}: expected a number, or a part as in 25%`,
    );
  const value = Number(number[1]);
  return number[2] === "%" ? Math.max(1, Math.floor((units * value) / 100)) : value;
}
