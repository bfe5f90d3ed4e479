import { RegistryError } from "../cluster/errors.ts";
import type { UnitRecord } from "../cluster/records.ts";
import { checkUnit } from "../cluster/unit-change.ts";
import { InvalidUnitError, UnitFileError } from "../unit/errors.ts";
import { checkUnitSize, hashText, hashUnitFile, parseUnitFile, type UnitOption } from "../unit/file.ts";
import { refusedNameProblem } from "../unit/name.ts";
import { readRequirements } from "../unit/requirements.ts";
import { MOST_ROLL_UNITS, type RollRecord, type RollUnit, type TextRef } from "./records.ts";

/** A roll as it is asked for. */
export interface AskedRoll extends Omit<RollRecord, "units" | "maxUnavailable"> {
  /** `text`: the new version as its user wrote it; null: it is restarted. */
  readonly units: readonly { readonly name: string; readonly text: string | null }[];
  /** A number, or a part of the units as in `25%`, which is at least one of them. */
  readonly maxUnavailable: string;
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
 * @param recordOf null: there is no such unit
 * @param sizeLimit most bytes of a unit's text
 * @throws InvalidUnitError for what can never be, RegistryError `refused` for what can't be now
 */
export function planRoll(
  asked: AskedRoll,
  recordOf: (name: string) => UnitRecord | null,
  sizeLimit: number,
): PlannedRoll {
  const { units, maxUnavailable, ...rest } = asked;
  if (asked.kind === "restart" && asked.onFailure === "undo")
    throw new InvalidUnitError("a restart can't be undone: there is no earlier version to go back to");
  if (units.length === 0 || units.length > MOST_ROLL_UNITS)
    throw new InvalidUnitError(`the roll has ${units.length} units: expected 1 to ${MOST_ROLL_UNITS}`);
  const sources = new Map<string, string>();
  const seen = new Set<string>();
  const planned = units.map(({ name, text }): RollUnit => {
    if (seen.has(name)) throw new InvalidUnitError(`unit ${name} is in the roll twice`);
    seen.add(name);
    const from = rollable(name, recordOf(name));
    if (asked.kind === "restart") return { name, from, to: from };
    if (text === null) throw new InvalidUnitError(`unit ${name} has no text: a roll that replaces needs one`);
    const to = newText(name, text, sizeLimit);
    sources.set(to.source, text);
    return { name, from, to };
  });
  return { roll: { ...rest, units: planned, maxUnavailable: countOf(maxUnavailable, units.length) }, sources };
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

function newText(name: string, text: string, sizeLimit: number): TextRef {
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
