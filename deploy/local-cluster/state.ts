import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { ROOT } from "./cluster.ts";
import { isAlive } from "./processes.ts";

/** What is remembered of the cluster that npm start has started. */
export interface LocalState {
  readonly holderPID: number;
  /** When the holder started, by the kernel's clock: a number that was given out again is another process. */
  readonly holderStartedAt: string;
  readonly endpoint: string;
  readonly etcd: string;
  /** The clone that it was started from. */
  readonly root: string;
}

/** Several local clusters can stand side by side under names of their own, of at most 11 characters. */
export const NETWORK_NAME = process.env.FLEET_LOCAL_NAME ?? "local";
const FOLDER = "/run/fleet-local";
/** The file in which it is remembered. */
export const STATE = `${FOLDER}/${NETWORK_NAME}.json`;
const ENDPOINT = `${FOLDER}/${NETWORK_NAME}.endpoint`;

/** What is written down of the cluster; `broken`: it can't be read, and says nothing of whether a cluster runs. */
export type Remembered =
  | { readonly kind: "none" | "broken" }
  | { readonly kind: "running"; readonly state: LocalState };

/** What is remembered of the cluster, where it still runs. */
export function recall(): Remembered {
  if (!existsSync(STATE)) return { kind: "none" };
  const state = parse(readFileSync(STATE, "utf8"));
  if (state === null) return { kind: "broken" };
  const isRunning = isAlive(state.holderPID) && startedAt(state.holderPID) === state.holderStartedAt;
  return isRunning ? { kind: "running", state } : { kind: "none" };
}

function parse(text: string): LocalState | null {
  try {
    const state = JSON.parse(text) as Partial<LocalState> | null;
    const { holderPID, holderStartedAt, endpoint = "", etcd = "", root = ROOT } = state ?? {};
    if (typeof holderPID !== "number" || typeof holderStartedAt !== "string") return null;
    return { holderPID, holderStartedAt, endpoint, etcd, root };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function writeState(state: Omit<LocalState, "holderStartedAt" | "root">): void {
  mkdirSync(FOLDER, { recursive: true });
  // Renamed into place: a start that is killed while it writes leaves no half of a file.
  writeFileSync(`${STATE}.new`, JSON.stringify({ ...state, holderStartedAt: startedAt(state.holderPID), root: ROOT }));
  renameSync(`${STATE}.new`, STATE);
  writeFileSync(ENDPOINT, state.endpoint);
}

export function removeState(): void {
  rmSync(STATE, { force: true });
  rmSync(ENDPOINT, { force: true });
}

function startedAt(pid: number): string {
  return (
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")[19] ?? ""
  );
}
