import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { nameMatches } from "../../targets/unit-patterns.ts";

/** Which rows of a list of units are shown. Empty lists show all. */
export interface RowFilter {
  /** Names or globs. */
  readonly names: readonly string[];
  /**
   * Words of systemd for a load, active or sub state; `pending` for a unit that waits for a machine, `unknown` for one
   * that the registry does not know.
   */
  readonly states: readonly string[];
  readonly machineIDs: readonly string[];
}

/** The sub state of a unit that waits for a machine. */
export const PENDING = "pending";

/** What stands for a unit that the registry does not know. */
export const UNKNOWN = "unknown";

/** Whether a row is asked for. */
export function isShown({ name, load, active, sub, machineID, unknown }: StateInfo, filter: RowFilter): boolean {
  const { names, states, machineIDs } = filter;
  const isNamed = names.length === 0 || names.some((pattern) => nameMatches(pattern, name));
  const isInState =
    states.length === 0 || states.some((state) => [load, active, sub, unknown === true ? UNKNOWN : ""].includes(state));
  return isNamed && isInState && (machineIDs.length === 0 || machineIDs.includes(machineID));
}

/** Rows of units that are wanted on a machine, are on none, and of which no machine says anything. */
export function pendingRows(units: readonly UnitInfo[], states: readonly StateInfo[]): readonly StateInfo[] {
  const reported = new Set(states.map(({ name }) => name));
  return units
    .filter(({ name, desiredState, currentState, machineID }) => {
      const isWanted = desiredState !== "inactive" && machineID === null && currentState !== null;
      return isWanted && !reported.has(name);
    })
    .map(({ name }) => ({
      ...{ name, hash: "", machineID: "", load: "", active: "", sub: PENDING },
      ...{ error: null, current: null, run: null },
    }));
}
