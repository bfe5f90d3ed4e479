import { parseUnitFile } from "../../unit/file.ts";
import { type Requirements, readRequirements } from "../../unit/requirements.ts";
import { change, type WhereaboutsEvent } from "../../whereabouts/change.ts";
import type { Whereabouts } from "../../whereabouts/whereabouts.ts";
import { ClusterModel } from "../cluster-model.ts";
import { plan } from "../plan.ts";

/** A unit as a test puts it into a cluster; what is left out is as of a launched unit that is nowhere. */
export interface TestUnit {
  readonly name: string;
  readonly lines?: string;
  readonly desiredState?: "inactive" | "loaded" | "launched";
  readonly machineID?: string | null;
  readonly last?: string | null;
  readonly leaving?: string | null;
}
/** A machine as a test has it. */
export interface TestMachine {
  readonly id: string;
  readonly metadata?: Record<string, string>;
  readonly isCordoned?: boolean;
}

/** The ID of the machine of a number: machines come in the order of their numbers. */
export const id = (index: number): string => index.toString(16).padStart(8, "0").padEnd(32, "f");
/** What a unit asks for. */
export const requirementsOf = ({ name, lines = "" }: TestUnit): Requirements =>
  readRequirements(name, parseUnitFile(`[X-Fleet]\n${lines}`));

function whereaboutsOf({ machineID = null, last = null, leaving = null }: TestUnit): Whereabouts {
  if (machineID !== null) return { kind: "placed", on: machineID };
  return leaving === null
    ? { kind: "nowhere", last, preferred: null }
    : { kind: "leaving", from: leaving, last, preferred: null };
}

/** Something happened to a unit that the registry tells of. */
export function happen(model: ClusterModel, name: string, ...events: readonly WhereaboutsEvent[]): void {
  for (const event of events) {
    const unit = model.units.get(name);
    if (unit === undefined) throw new Error(`there is no ${name}`);
    const whereabouts = change(unit.record.whereabouts, event);
    model.setUnit(name, { ...unit.record, whereabouts }, unit.requirements);
  }
}

/** A unit comes to a cluster, or becomes another. */
export function put(model: ClusterModel, unit: TestUnit, revision = 1): void {
  const requirements = requirementsOf(unit);
  const desiredState = unit.desiredState ?? "launched";
  const record = {
    hash: "h",
    desiredState,
    global: requirements.global,
    whereabouts: whereaboutsOf(unit),
    cause: null,
  };
  model.setUnit(unit.name, { ...record, createRevision: revision, modRevision: revision }, requirements);
  if (requirements.global && desiredState !== "inactive")
    model.setGlobal({ name: unit.name, requirements, createRevision: revision });
}

/** A cluster of these machines and units, on which nothing was decided yet. */
export function cluster(machines: readonly TestMachine[], units: readonly TestUnit[]): ClusterModel {
  const model = new ClusterModel();
  for (const { id, metadata = {}, isCordoned = false } of machines) {
    model.setMachine({ id, metadata, primaryIP: "", version: "" }, 1);
    if (isCordoned) model.setCordon(id, { drain: false });
  }
  for (const unit of units) put(model, unit);
  return model;
}

/** Plans until nothing is left to do; fails where that never comes. */
export function settle(model: ClusterModel): Map<string, string | null> {
  for (let round = 0; model.dirtyCount > 0; round++) {
    plan(model, 1000);
    if (round > 50) throw new Error("the plan never comes to rest");
  }
  return new Map([...model.units].map(([name, { on }]) => [name, on]).sort() as [string, string | null][]);
}

/** Three machines without metadata. */
export const three = [{ id: id(1) }, { id: id(2) }, { id: id(3) }];

/** Runs work that yields now and then to its end. */
export function run<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
