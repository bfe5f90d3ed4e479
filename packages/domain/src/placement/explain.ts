import { machineOf, unitStatesOf } from "../cluster/readers.ts";
import type { ClusterState } from "../cluster/state.ts";
import { isTemplateName } from "../unit/name.ts";
import type { Requirements } from "../unit/requirements.ts";
import { RequirementsCache } from "../unit/requirements-cache.ts";
import type { DesiredState } from "../unit/states.ts";
import { placesOf } from "../whereabouts/places.ts";
import { type GlobalUnit, globalsOn, metadataFits } from "./fit.ts";
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
  /** Why not on the others: machines of which the same is true count together, most first. */
  readonly reasons: readonly {
    readonly reason: string;
    readonly machines: number;
    readonly examples: readonly string[];
  }[];
}

const MOST_EXAMPLES = 3;

/** The cluster as one look sees it: units by machine, and what each asks for. */
export interface Look {
  readonly units: ReadonlyMap<string, PlacedUnit>;
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
  const counts = new Map<string, string[]>();
  const note = (reason: string, id: string): void => {
    const ids = counts.get(reason);
    if (ids === undefined) counts.set(reason, [id]);
    else ids.push(id);
  };
  let fitting = 0;
  let ownReason: string | null = null;
  const around = surroundings(look, state);
  let count = 0;
  for (const id of [...state.machines.keys()].sort()) {
    if (++count % 50 === 0) yield;
    const machine = machineOf(state, id);
    if (machine === null || unit === undefined) continue;
    const reason = record.global
      ? whyNoGlobal(name, unit.requirements, id, look, state)
      : ((unfit) => (unfit === null ? null : unfitText(unfit)))(unfitOn(unit, machine, around));
    if (reason === null) fitting++;
    else note(reason, id);
    if (id === record.machineID) ownReason = reason;
  }
  const reasons = [...counts]
    .map(([reason, ids]) => ({ reason, machines: ids.length, examples: ids.slice(0, MOST_EXAMPLES) }))
    .sort((a, b) => b.machines - a.machines || (a.reason < b.reason ? -1 : 1));
  const machines = state.machines.size;
  return {
    name,
    desiredState: record.desiredState,
    ...(record.machineID === null ? {} : { machineID: record.machineID }),
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
  const { machineID } = record;
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
  if (record.leaving !== null)
    return `it waits until machine ${record.leaving} has let go of it: ${record.cause ?? "it is moved"}`;
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
    cordon: (id) => state.cordons.get(id) ?? null,
    replacers: () => replacers,
  };
}

/** Reads what every unit asks for. Yields now and then. */
export function* lookAt(state: ClusterState): Generator<void, Look> {
  const units = new Map<string, PlacedUnit>();
  const byMachine = new Map<string, PlacedUnit[]>();
  const globals: GlobalUnit[] = [];
  const requirementsOf = new RequirementsCache();
  let count = 0;
  for (const [name, record] of [...state.units]) {
    if (++count % 200 === 0) yield;
    const text = state.unitFiles.get(record.hash)?.text;
    const requirements = text === undefined ? null : requirementsOf.of(name, record.hash, text);
    if (requirements === null) continue;
    const isWanted = record.desiredState !== "inactive" && !record.global && !isTemplateName(name);
    const unit: PlacedUnit = { name, requirements, isWanted, record };
    units.set(name, unit);
    for (const id of placesOf(record)) {
      const there = byMachine.get(id);
      if (there === undefined) byMachine.set(id, [unit]);
      else there.push(unit);
    }
    const wanted = state.globals.get(name);
    if (wanted !== undefined) globals.push({ name, requirements, createRevision: wanted.createRevision });
  }
  return { units, byMachine, globals };
}
