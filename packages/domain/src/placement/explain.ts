import { cordonOf, machineName, machineOf, unitStatesOf } from "../cluster/readers.ts";
import type { UnitRecord } from "../cluster/records.ts";
import type { ClusterState } from "../cluster/state.ts";
import type { UnitOption } from "../unit/file.ts";
import { isTemplateName } from "../unit/name.ts";
import { type Requirements, readRequirements } from "../unit/requirements.ts";
import { RequirementsCache } from "../unit/requirements-cache.ts";
import { failureText } from "../unit/run-result.ts";
import type { DesiredState } from "../unit/states.ts";
import { NOWHERE, placesOf, scheduledTo } from "../whereabouts/whereabouts.ts";
import { type ModelUnit, modelUnit } from "./cluster-model.ts";
import { type GlobalUnit, globalsOn } from "./conflicts.ts";
import { metadataFits } from "./metadata-fit.ts";
import { type PlacedUnit, type Surroundings, unfitOn, unfitText } from "./rules.ts";
import { unreadablePeer } from "./unreadable-peer.ts";

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
  /** What is wrong with it where it is; absent: nothing. */
  readonly troubles?: readonly Trouble[];
}

/** What an agent or systemd says against a unit on a machine. */
export interface Trouble {
  readonly machineID: string;
  /** As the end of a sentence about the unit: `failed: exit status 3 (exit-code)`. */
  readonly text: string;
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
  const { global, desiredState } = record;
  const { fitting, reasons, whyNot } = yield* lookAround(state, look, look.units.get(name), global);
  const on = scheduledTo(record.whereabouts);
  const ownReason = on === null ? null : (whyNot.get(on) ?? null);
  const machines = state.machines.size;
  const troubles = desiredState === "inactive" ? [] : troublesOf(state, name, global ? null : on);
  return {
    ...{ name, desiredState, ...(on === null ? {} : { machineID: on }), global, machines, fitting },
    summary: summaryOf(state, name, record, { isReadable: look.units.has(name), fitting, ownReason, troubles }),
    reasons,
    ...(troubles.length === 0 ? {} : { troubles }),
  };
}

/**
 * Where a version of a unit could be that is not put in yet, as if it was launched now: also of a unit that there is not.
 * Its own place does not speak against it.
 */
export function* explainVersion(
  state: ClusterState,
  look: Look,
  name: string,
  options: readonly UnitOption[],
): Generator<void, Placement> {
  const requirements = readRequirements(name, options);
  const { global } = requirements;
  const known = state.units.get(name);
  const base = known ?? { createRevision: Number.MAX_SAFE_INTEGER, modRevision: 0, whereabouts: NOWHERE };
  const { createRevision, modRevision, whereabouts } = base;
  const record = {
    hash: "",
    desiredState: "launched",
    global,
    whereabouts,
    cause: null,
    createRevision,
    modRevision,
  } as const;
  const unit = modelUnit(name, record, requirements);
  const others = look.globals.filter((other) => other.name !== name);
  const since = state.globals.get(name)?.createRevision ?? Number.MAX_SAFE_INTEGER;
  const then: Look = {
    units: new Map(look.units).set(name, unit),
    byMachine: look.byMachine,
    globals: global ? [...others, { name, requirements, createRevision: since }] : others,
  };
  const { fitting, reasons } = yield* lookAround(state, then, unit, global);
  const machines = state.machines.size;
  const summary = fitting === 0 ? pendingText(state, fitting) : fits(fitting, machines);
  return { name, desiredState: "launched", global, machines, fitting, summary, reasons };
}

/** Which machines a unit may be on; of a global unit: runs on. Yields now and then. */
function* lookAround(state: ClusterState, look: Look, unit: ModelUnit | undefined, global: boolean) {
  const around = surroundings(look, state);
  const whyNot = new Map<string, string | null>();
  for (const id of [...state.machines.keys()].sort()) {
    if (whyNot.size % 50 === 49) yield;
    const machine = machineOf(state, id);
    if (machine === null || unit === undefined) continue;
    const unfit = global ? null : unfitOn(unit, machine, around);
    whyNot.set(id, global ? whyNoGlobal(unit, id, look, state) : unfit && unfitText(unfit));
  }
  return { ...reasonsAgainst([...whyNot.keys()], (id) => whyNot.get(id) ?? null), whyNot };
}

function summaryOf(
  state: ClusterState,
  name: string,
  record: UnitRecord,
  seen: {
    readonly isReadable: boolean;
    readonly fitting: number;
    readonly ownReason: string | null;
    readonly troubles: readonly Trouble[];
  },
): string {
  const { whereabouts } = record;
  const { fitting, troubles } = seen;
  const on = scheduledTo(whereabouts);
  if (!seen.isReadable) return "its file can't be read: destroy it and submit it again";
  if (isTemplateName(name)) return "a template: start an instance of it";
  if (record.desiredState === "inactive") return "not wanted on any machine: its desired state is inactive";
  if (record.global) {
    const down =
      troubles.length === 0 ? "" : `, and down on ${troubles.length}: ${troublesText(state, name, troubles)}`;
    return `global: wanted on ${fitting} of ${state.machines.size} machines${down}`;
  }
  if (on !== null) return placedText(state, name, on, record, seen.ownReason, troubles);
  if (whereabouts.kind === "leaving")
    return `pending until machine ${whereabouts.from} has stopped it: ${record.cause ?? "it is being moved"}`;
  return pendingText(state, fitting);
}

function placedText(
  state: ClusterState,
  name: string,
  on: string,
  record: UnitRecord,
  ownReason: string | null,
  troubles: readonly Trouble[],
): string {
  const next = hasLeader(state) ? "the engine is about to move it" : "no engine leads that could move it";
  if (!state.machines.has(on)) {
    if (state.isUnreadable("machine", on))
      return `on machine ${on}, whose record this version can't read: it stays there`;
    const heldUntil = state.knownMachines.get(on)?.heldUntil;
    return heldUntil === undefined
      ? `on machine ${on}, which is gone; ${next}`
      : `on machine ${on}, which disappeared while etcd was unreachable, and may still be running: it stays there until ${heldUntil}`;
  }
  if (ownReason !== null) return `on machine ${on}, which no longer fits: ${ownReason}; ${next}`;
  if (troubles.length > 0) return troublesText(state, name, troubles);
  if (record.ended === true) return `on machine ${on}, loaded only: it has ended, and Rerun=true is not set`;
  return `on machine ${on}${record.cause === null ? "" : `: ${record.cause}`}`;
}

function pendingText(state: ClusterState, fitting: number): string {
  const machines = state.machines.size;
  if (machines === 0) return "pending: there is no machine";
  if (fitting === 0) return `pending: none of ${machines} machines fits`;
  return `pending: ${fits(fitting, machines)}${hasLeader(state) ? "; it is about to be placed" : ", but no engine leads"}`;
}

function fits(fitting: number, machines: number): string {
  return `${fitting} of ${machines} machines ${fitting === 1 ? "fits" : "fit"}`;
}

/** Whether an engine leads, also one of a version whose record can't be read. */
function hasLeader(state: ClusterState): boolean {
  return state.leader !== null || state.isUnreadable("leader");
}

/** What agents could not do with the unit, and where it fails by itself. */
function troublesOf(state: ClusterState, name: string, machineID: string | null): readonly Trouble[] {
  return unitStatesOf(state, name)
    .filter((entry) => machineID === null || entry.machineID === machineID)
    .flatMap(({ machineID: id, error, systemd, run }) => {
      const text = error ?? failureText(systemd, run);
      return text === null ? [] : [{ machineID: id, text }];
    });
}

/** The troubles as the end of a sentence about the unit. */
function troublesText(state: ClusterState, name: string, troubles: readonly Trouble[]): string {
  const said = troubles.slice(0, MOST_EXAMPLES).map(({ machineID, text }) => {
    const where = `on ${machineName(state, machineID)}`;
    const [, verb, rest] = /^(failed|keeps failing)(.*)$/s.exec(text) ?? [];
    return verb === undefined ? `error ${where}: ${text}` : `${verb} ${where}${rest}`;
  });
  const more = troubles.length > said.length ? [`${troubles.length - said.length} more`] : [];
  return `${[...said, ...more].join("; ")} (fleetctl status ${name} shows more)`;
}

function whyNoGlobal(unit: ModelUnit, id: string, look: Look, state: ClusterState): string | null {
  const { name, requirements, record } = unit;
  const metadata = machineOf(state, id)?.metadata ?? {};
  if (record.desiredState === "inactive") return "its desired state is inactive";
  if (!metadataFits(requirements, metadata)) return "its metadata is not what MachineMetadata asks for";
  const running = globalsOn(look.globals, metadata, look.byMachine.get(id) ?? []);
  return running.some((other) => other.name === name) ? null : "it conflicts with a unit there";
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
    unreadablePeer: (unit) => unreadablePeer(unit, state, (name, hash) => requirementsOf(state, name, hash)),
  };
}

/** Reads what every unit asks for. Yields now and then. */
export function* lookAt(state: ClusterState): Generator<void, Look> {
  const units = new Map<string, ModelUnit>();
  const byMachine = new Map<string, PlacedUnit[]>();
  const globals: GlobalUnit[] = [];
  const cache = new RequirementsCache();
  let count = 0;
  for (const [name, record] of [...state.units]) {
    if (++count % 200 === 0) yield;
    const requirements = requirementsOf(state, name, record.hash, cache);
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

/** What a version of a unit asks for; null where that is not known, or can't be read. */
function requirementsOf(
  state: ClusterState,
  name: string,
  hash: string,
  cache = new RequirementsCache(),
): Requirements | null {
  const section = state.sectionOf(name, hash);
  return section === null ? null : cache.of(name, hash, section);
}
