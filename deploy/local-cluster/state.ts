import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isAlive } from "./processes.ts";

/** What is remembered of the cluster that npm start has started. */
export interface LocalState {
  readonly holderPID: number;
  /** When the holder started, by the kernel's clock: a number that was given out again is another process. */
  readonly holderStartedAt: string;
  readonly endpoint: string;
  readonly etcd: string;
}

/** Several local clusters can stand side by side under names of their own, of at most 11 characters. */
export const NETWORK_NAME = process.env.FLEET_LOCAL_NAME ?? "local";
const FOLDER = "/run/fleet-local";
const STATE = `${FOLDER}/${NETWORK_NAME}.json`;
const ENDPOINT = `${FOLDER}/${NETWORK_NAME}.endpoint`;

/** The running cluster; null where there is none. */
export function readState(): LocalState | null {
  if (!existsSync(STATE)) return null;
  const state = JSON.parse(readFileSync(STATE, "utf8")) as LocalState;
  return isAlive(state.holderPID) && startedAt(state.holderPID) === state.holderStartedAt ? state : null;
}

export function writeState(state: Omit<LocalState, "holderStartedAt">): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(STATE, JSON.stringify({ ...state, holderStartedAt: startedAt(state.holderPID) }));
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
