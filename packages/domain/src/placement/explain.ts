import { cordonOf, machineOf, unitStatesOf } from "../cluster/readers.ts";
import type { ClusterState } from "../cluster/state.ts";
import { isTemplateName } from "../unit/name.ts";
import type { Requirements } from "../unit/requirements.ts";
import { RequirementsCache } from "../unit/requirements-cache.ts";
import type { DesiredState } from "../unit/states.ts";
import { placesOf, scheduledTo } from "../whereabouts/whereabouts.ts";
import { type ModelUnit, modelUnit } from "./cluster-model.ts";
import { type GlobalUnit, globalsOn } from "./conflicts.ts";
import { metadataFits } from "./metadata-fit.ts";
import { type PlacedUnit, type Surroundings, unfitOn, unfitText } from "./rules.ts";

/** Where a unit is, where it may be, and why not elsewhere. */
export interface Placement {
  readonly name: string;
  readonly desiredState: DesiredState;
  /** Absent: nowhere, or a global unit. */
  readonly machineID?: string;
  readonly global: boolean;
  /** How many machines there are. */
  readonly machines: number;
  /** On how many of them the unit may be; of a global unit: runs. */
  readonly fitting: number;
  /** The answer in one sentence. */
  readonly summary: string;
  /** Why not on the others. */
  readonly reasons: readonly Reason[];
}

/** Why a unit can't be on some machines: those of which the same is true count together. */
export interface Reason {
  readonly reason: string;
  readonly machines: number;
  /** A few of them. */
  readonly examples: readonly string[];
}

const MOST_EXAMPLES = 3;

/**
 * On how many machines a unit may be, and why not on the others, the reason that is true of most first.
 *
 * @param whyNot null: it may be there
 */
export function reasonsAgainst(
  ids: readonly string[],
  whyNot: (id: string) => string | null,
): { readonly fitting: number; readonly reasons: readonly Reason[] } {
  const found = new Map<string, { reason: string; machines: number; examples: string[] }>();
  let fitting = 0;
  for (const id of ids) {
    const reason = whyNot(id);
    if (reason === null) {
      fitting++;
      continue;
    }
    const those = found.get(reason) ?? { reason, machines: 0, examples: [] };
    those.machines++;
    if (those.examples.length < MOST_EXAMPLES) those.examples.push(id);
    found.set(reason, those);
  }
  const byCount = (a: Reason, b: Reason): number => b.machines - a.machines || (a.reason < b.reason ? -1 : 1);
  return { fitting, reasons: [...found.values()].sort(byCount) };
}

/** The cluster as one look sees it: units by machine, and what each asks for. */
export interface Look {
  readonly units: ReadonlyMap<string, ModelUnit>;
  readonly byMachine: ReadonlyMap<string, readonly PlacedUnit[]>;
  readonly globals: readonly GlobalUnit[];
}

/**
 * Explains where a unit is and why it is not elsewhere, by the same rules that the engine decides by. Yields now and then
 * while it reads a large cluster, and returns null where there is no such unit.
 */
export function* explainPlacement(state: ClusterState, name: string): Generator<void, Placement | null> {
  if (!state.units.has(name)) return null;
  return yield* explainIn(state, yield* lookAt(state), name);
}

/** The same over a look that was taken before. */
export function* explainIn(state: ClusterState, look: Look, name: string): Generator<void, Placement | null> {
  const record = state.units.get(name);
  if (record === undefined) return null;
  const unit = look.units.get(name);
  const around = surroundings(look, state);
  const whyNot = new Map<string, string | null>();
  for (const id of [...state.machines.keys()].sort()) {
    if (whyNot.size % 50 === 49) yield;
    const machine = machineOf(state, id);
    if (machine === null || unit === undefined) continue;
    const unfit = record.global ? null : unfitOn(unit, machine, around);
    const reason = unfit === null ? null : unfitText(unfit);
    whyNot.set(id, record.global ? whyNoGlobal(name, unit.requirements, id, look, state) : reason);
  }
  const { fitting, reasons } = reasonsAgainst([...whyNot.keys()], (id) => whyNot.get(id) ?? null);
  const on = scheduledTo(record.whereabouts);
  const ownReason = on === null ? null : (whyNot.get(on) ?? null);
  const machines = state.machines.size;
  return {
    name,
    desiredState: record.desiredState,
    ...(on === null ? {} : { machineID: on }),
    global: record.global,
    machines,
    fitting,
    summary: summary(state, name, unit, { machines, fitting, ownReason }),
    reasons,
  };
}

function summary(
  state: ClusterState,
  name: string,
  unit: PlacedUnit | undefined,
  { machines, fitting, ownReason }: { machines: number; fitting: number; ownReason: string | null },
): string {
  const record = state.units.get(name);
  if (record === undefined || unit === undefined) return "its file can't be read: destroy it and submit it anew";
  const { whereabouts } = record;
  const machineID = scheduledTo(whereabouts);
  if (isTemplateName(name)) return "it is a template: start an instance of it";
  if (record.desiredState === "inactive") {
    return "it is wanted on no machine: its desired state is inactive";
  }
  if (record.global)
    return `it is a global unit, and runs on ${fitting} of ${machines} machines${troubles(state, name, null)}`;
  if (machineID !== null) {
    const next = state.leader === null ? "no engine leads that could move it" : "the engine is about to move it";
    if (!state.machines.has(machineID)) return `it is scheduled to machine ${machineID}, which is gone; ${next}`;
    if (ownReason !== null) return `it is on machine ${machineID}, which no longer fits: ${ownReason}; ${next}`;
    const why = record.cause === null ? "" : `: ${record.cause}`;
    return `it is on machine ${machineID}${why}${troubles(state, name, machineID)}`;
  }
  if (whereabouts.kind === "leaving")
    return `it waits until machine ${whereabouts.from} has let go of it: ${record.cause ?? "it is moved"}`;
  if (machines === 0) return "it waits: there is no machine";
  if (fitting === 0) return `it waits: it fits none of ${machines} machines`;
  if (state.leader === null) return `it waits: it fits ${fitting} of ${machines} machines, but no engine leads`;
  return `it fits ${fitting} of ${machines} machines, and is about to be placed`;
}

/** What agents could not do with the unit, and where it has failed by itself. */
function troubles(state: ClusterState, name: string, machineID: string | null): string {
  const errors = unitStatesOf(state, name)
    .filter((entry) => machineID === null || entry.machineID === machineID)
    .flatMap(({ error, systemd }) => {
      if (error !== null) return error;
      return systemd.active === "failed" ? `it has failed (fleetctl status ${name} has more)` : [];
    });
  const [first] = errors;
  if (first === undefined) return "";
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return `, but there: ${first}${more}`;
}

function whyNoGlobal(
  name: string,
  requirements: Requirements,
  id: string,
  look: Look,
  state: ClusterState,
): string | null {
  const metadata = machineOf(state, id)?.metadata ?? {};
  if (state.units.get(name)?.desiredState === "inactive") return "its desired state is inactive";
  if (!metadataFits(requirements, metadata)) return "its metadata is not what MachineMetadata asks for";
  const running = globalsOn(look.globals, metadata, look.byMachine.get(id) ?? []);
  return running.some((unit) => unit.name === name) ? null : "it conflicts with a unit there";
}

function surroundings({ units, byMachine, globals }: Look, state: ClusterState): Surroundings {
  const on = (id: string): readonly PlacedUnit[] => byMachine.get(id) ?? [];
  const replacers = [...units.values()].filter(({ requirements }) => requirements.replaces.length > 0);
  return {
    unit: (name) => units.get(name),
    neighbours: (_unit, id) => [...on(id), ...globalsOn(globals, machineOf(state, id)?.metadata ?? {}, on(id))],
    pushers: (_unit, id) => (replacers.length === 0 ? [] : on(id)),
    cordon: (id) => cordonOf(state, id),
    replacers: () => replacers,
  };
}

/** Reads what every unit asks for. Yields now and then. */
export function* lookAt(state: ClusterState): Generator<void, Look> {
  const units = new Map<string, ModelUnit>();
  const byMachine = new Map<string, PlacedUnit[]>();
  const globals: GlobalUnit[] = [];
  const requirementsOf = new RequirementsCache();
  let count = 0;
  for (const [name, record] of [...state.units]) {
    if (++count % 200 === 0) yield;
    const text = state.unitFiles.get(record.hash)?.text;
    const requirements = text === undefined ? null : requirementsOf.of(name, record.hash, text);
    if (requirements === null) continue;
    const unit = modelUnit(name, record, requirements);
    units.set(name, unit);
    for (const id of placesOf(record.whereabouts)) {
      const there = byMachine.get(id);
      if (there === undefined) byMachine.set(id, [unit]);
      else there.push(unit);
    }
    const wanted = state.globals.get(name);
    if (wanted !== undefined) globals.push({ name, requirements, createRevision: wanted.createRevision });
  }
  return { units, byMachine, globals };
}
