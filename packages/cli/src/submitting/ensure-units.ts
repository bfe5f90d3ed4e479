import { type DesiredState, hashUnitFile, type UnitOption } from "@fleet/domain/unit";
import type { ClusterClient, UnitInfo } from "../client/cluster-client.ts";
import { concurrently } from "../client/concurrently.ts";
import { findUnits } from "../client/find.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { unitName } from "../targets/units.ts";
import { warnOfFindings } from "./findings.ts";
import { findSource, type LocalSource, localSource, ownFile, type UnitSource } from "./unit-source.ts";

/** How units get into the registry. */
export interface SubmitOptions {
  /** Put a new version in where the local file differs. */
  readonly replace: boolean;
  /** Refuse files that have anything wrong with them. */
  readonly strict: boolean;
  /** Replace a unit that runs by a version that fits no machine, too. */
  readonly force: boolean;
  /** Why, for the history of the units; null: nobody says. */
  readonly message: string | null;
}

/** A unit's text that is to be sent. */
interface Submission extends UnitSource {
  /** False: it means what the registry has already, and only reads differently. */
  readonly isNewVersion: boolean;
}

/**
 * Makes sure that units are in the registry, from local files or templates. Everything is read and checked before the
 * first is sent.
 *
 * @param target the state that the command leads to: `--replace` may not take a unit back from a higher one
 * @returns names of the units that were created or replaced
 */
export async function ensureUnits(
  context: Context,
  typed: readonly string[],
  target: DesiredState,
  { replace, strict, force, message }: SubmitOptions,
): Promise<ReadonlySet<string>> {
  const client = await context.client();
  const byName = typedByUnit(context, typed);
  const known = await findUnits(client, [...byName.keys()]);
  const storedTemplate = templatesOf(client);
  const sources = new Map<string, Submission>();
  for (const [name, entry] of byName) {
    const unit = known.get(name);
    const source =
      unit === undefined
        ? { ...(await findSource(context, storedTemplate, name, entry)), isNewVersion: true }
        : await newVersion(context, unit, localSource(context, entry, name), target, replace);
    if (source !== null) sources.set(name, source);
  }
  const files = new Map([...sources.values()].flatMap(({ file }) => (file === null ? [] : [[file.path, file]])));
  await warnOfFindings(context, [...files.values()], strict);
  if (target !== "inactive" && !force) await refuseHomeless(client, replacing(sources), known);
  const sent = new Set<string>();
  try {
    await concurrently([...sources], async ([name, { options, text, isNewVersion }]) => {
      const desiredState = known.get(name)?.desiredState ?? "inactive";
      await client.setUnit(name, { options, desiredState, ...(text === null ? {} : { text }) }, message);
      if (isNewVersion) sent.add(name);
    });
  } finally {
    for (const name of byName.keys()) if (sent.has(name)) context.out(`Unit ${name} inactive`);
  }
  return sent;
}

/**
 * What a user typed, by unit. A unit may be typed several times, as a name and as a file.
 *
 * @throws CommandError where that would be different files
 */
function typedByUnit(context: Context, typed: readonly string[]): ReadonlyMap<string, string> {
  const byName = new Map<string, string>();
  for (const entry of new Set(typed)) {
    const name = unitName(entry);
    const before = byName.get(name);
    const [first, second] = [before ?? entry, entry].map((word) => ownFile(context, word, name)?.file ?? null);
    if (first != null && second != null && Buffer.compare(first.bytes, second.bytes) !== 0)
      throw new CommandError(
        `${first.path} and ${second.path} are different files of one unit, ${name}: give one of them`,
      );
    if (before === undefined || first === null) byName.set(name, entry);
  }
  return byName;
}

/** The texts that are new versions, by unit. */
function replacing(sources: ReadonlyMap<string, Submission>): ReadonlyMap<string, readonly UnitOption[]> {
  return new Map([...sources].flatMap(([name, { options, isNewVersion }]) => (isNewVersion ? [[name, options]] : [])));
}

/**
 * Refuses versions that fit no machine where the version before is on one: that would stop, and nothing would take its
 * place. A server that is too old to say is not asked again.
 *
 * @param versions options of the new versions, by unit
 * @throws CommandError with why each machine is refused
 */
export async function refuseHomeless(
  client: ClusterClient,
  versions: ReadonlyMap<string, readonly UnitOption[]>,
  known: ReadonlyMap<string, UnitInfo>,
): Promise<void> {
  const placed = [...versions].filter(([name]) => known.get(name)?.machineID != null);
  await concurrently(placed, async ([name, options]) => {
    const placement = await client.explainVersion(name, options);
    if (placement?.fitting !== 0) return;
    const reasons = placement.reasons.map(({ reason, machines }) => `${machines}: ${reason}`).join("; ");
    throw new CommandError(
      `unit ${name} was not replaced and keeps running: ${placement.summary}${reasons === "" ? "" : ` (${reasons})`}. Use --force to replace it anyway`,
    );
  });
}

/** Reads templates from the registry, each once. */
function templatesOf(client: ClusterClient): (name: string) => Promise<UnitInfo | null> {
  const asked = new Map<string, Promise<UnitInfo | null>>();
  return (name) => {
    const template = asked.get(name) ?? client.unit(name);
    asked.set(name, template);
    return template;
  };
}

const RANK: Readonly<Record<DesiredState, number>> = { inactive: 0, loaded: 1, launched: 2 };

/**
 * What becomes of a unit that is in the registry already, where there is a local file for it.
 *
 * @param target the state that the command leads to
 * @returns "same": there is nothing to do; "reworded": it means the same, and is to be kept as it reads now; "kept": it differs and was not to be replaced; "above": it is in a higher
 * state than the command leads to, and so may not be replaced by it; "replaced"
 */
export function replacementOf(
  unit: Pick<UnitInfo, "options" | "desiredState" | "text">,
  local: Pick<UnitSource, "options" | "text">,
  target: DesiredState,
  replace: boolean,
): "same" | "reworded" | "kept" | "above" | "replaced" {
  if (hashUnitFile(local.options) === hashUnitFile(unit.options))
    return replace && unit.text !== undefined && unit.text !== local.text ? "reworded" : "same";
  if (!replace) return "kept";
  return RANK[unit.desiredState] > RANK[target] ? "above" : "replaced";
}

/** The local file where it is to replace what the registry holds; null, and the reason is printed, where it is not. */
async function newVersion(
  context: Context,
  known: UnitInfo,
  local: LocalSource | null,
  target: DesiredState,
  replace: boolean,
): Promise<Submission | null> {
  if (local === null) return null;
  const { name } = known;
  const unit = replace ? await (await context.client()).unit(name, { withText: true }) : known;
  switch (replacementOf(unit ?? known, local, target, replace)) {
    case "replaced":
      return { ...local, isNewVersion: true };
    case "reworded":
      context.err(
        `Unit ${name} differs in comments and layout only: the stored file is replaced, the unit is not restarted.`,
      );
      return { ...local, isNewVersion: false };
    case "same":
      if (replace) context.out(`Found same Unit(${name}) in Registry, nothing to do`);
      return null;
    case "kept":
      context.err(
        `WARNING: Unit ${name} in registry differs from local unit file ${local.file.path}. Add --replace to override.`,
      );
      return null;
    case "above":
      context.err(
        `WARNING: Unit ${name} is ${known.desiredState}: it can't be replaced by a command that leaves it ${target}.`,
      );
      return null;
  }
}
