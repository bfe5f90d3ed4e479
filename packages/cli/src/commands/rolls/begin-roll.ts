import type { RollRequest } from "@fleet/client";
import { hashUnitFile, isTemplateName, parseUnitName } from "@fleet/domain/unit";
import type { UnitInfo } from "../../client/cluster-client.ts";
import { findStates } from "../../client/find.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { ensureUnits, refuseHomeless, type SubmitOptions } from "../../submitting/ensure-units.ts";
import { warnOfFindings } from "../../submitting/findings.ts";
import { type LocalSource, localSource } from "../../submitting/unit-source.ts";
import { unitName } from "../../targets/units.ts";
import type { RollSettings } from "./roll-flags.ts";
import { waitForRoll } from "./roll-wait.ts";

/** What is to become of what a user typed. */
export interface Split {
  /** Units that run, and differ from their local files, with these. */
  readonly rolled: ReadonlyMap<string, LocalSource>;
  /** Everything else, as it was typed: it is started as without --roll. */
  readonly others: readonly string[];
  /** Templates, as they were typed: their instances are rolled. */
  readonly templates: readonly string[];
}

/** Finds out which units are to be rolled. A template stands for its instances that run. */
export async function splitForRoll(context: Context, typed: readonly string[]): Promise<Split> {
  const client = await context.client();
  const units = new Map((await client.units()).map((unit) => [unit.name, unit]));
  const rolled = new Map<string, LocalSource>();
  const others: string[] = [];
  const templates: string[] = [];
  for (const entry of typed) {
    const name = unitName(entry);
    const source = localSource(context, entry, name);
    if (isTemplateName(name)) {
      if (source === null) throw new CommandError(`there is no file ${entry}: expected the template's new version`);
      templates.push(entry);
      for (const instance of instancesOf(name, units.values()))
        if (differs(instance, source)) rolled.set(instance.name, source);
    } else {
      const unit = units.get(name);
      if (unit?.desiredState === "launched" && source !== null && differs(unit, source)) rolled.set(name, source);
      else others.push(entry);
    }
  }
  return { rolled, others, templates };
}

function instancesOf(template: string, units: Iterable<UnitInfo>): readonly UnitInfo[] {
  return [...units].filter(
    ({ name, desiredState }) =>
      name !== template && desiredState === "launched" && parseUnitName(name)?.template === template,
  );
}

const differs = (unit: UnitInfo, { options }: LocalSource): boolean =>
  hashUnitFile(unit.options) !== hashUnitFile(options);

/**
 * Checks new versions as a submission does, submits the templates, and begins a roll of the units.
 *
 * @returns whether it came to its end, or was not to be waited for
 */
export async function rollVersions(
  context: Context,
  { rolled, templates }: Split,
  submit: SubmitOptions,
  settings: RollSettings,
  block: boolean,
): Promise<boolean> {
  const client = await context.client();
  const files = new Map([...rolled.values()].map(({ file }) => [file.path, file]));
  await warnOfFindings(context, [...files.values()], submit.strict);
  const units = new Map((await client.units()).map((unit) => [unit.name, unit]));
  const versions = new Map([...rolled].map(([name, { options }]) => [name, options]));
  if (!submit.force) await refuseHomeless(client, versions, units);
  const asked = [...rolled].map(([name, { text }]) => ({ name, ...(text === null ? {} : { text }) }));
  const roll = await beginRoll(context, { kind: "replace", units: asked, ...settings });
  // Not before: one that is refused leaves the templates as they are.
  await ensureUnits(context, templates, "inactive", { ...submit, replace: true });
  return roll === null || !block || waitForRoll(context, client, roll);
}

/**
 * Begins a roll.
 *
 * @returns its ID; null: there is nothing to do
 */
export async function beginRoll(context: Context, request: RollRequest): Promise<string | null> {
  if (request.units.length === 0) {
    context.err("No unit has to be rolled: nothing to do.");
    return null;
  }
  const client = await context.client();
  await sayWhatIsDown(context, request);
  const roll = await client.createRoll(request);
  if (roll === null) throw new CommandError("this server is too old for rolls: leave --roll out, or upgrade it");
  const { id, units, maxUnavailable } = roll;
  const what = `${units.length} ${units.length === 1 ? "unit" : "units"}`;
  context.out(`Roll ${id} begun: ${request.kind} ${what}, at most ${maxUnavailable} down at a time`);
  return id;
}

/** Says of units that are down already that they count. */
async function sayWhatIsDown(context: Context, { units }: RollRequest): Promise<void> {
  const names = units.map(({ name }) => name);
  const states = await findStates(await context.client(), names);
  const up = new Set(states.filter(({ active }) => active === "active").map(({ name }) => name));
  const down = names.filter((name) => !up.has(name));
  if (down.length === 0) return;
  const named = `${down.slice(0, 3).join(", ")}${down.length > 3 ? ", …" : ""}`;
  context.err(
    `WARNING: ${down.length} of ${names.length} units are not active now (${named}): they count as unavailable.`,
  );
}
