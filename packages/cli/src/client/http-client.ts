import {
  type EventFilter,
  FleetApi,
  FleetApiError,
  type FleetApiOptions,
  type Machine,
  type MetadataOperation,
  type StreamItem,
  type Unit,
  type UnitState,
} from "@fleet/client";
import { isDesiredState, type RunResult, readRequirements, type UnitOption } from "@fleet/domain/unit";
import { CommandError } from "../errors.ts";
import type {
  ClusterClient,
  EventRequest,
  MachineInfo,
  Move,
  Placement,
  StateInfo,
  UnitChange,
  UnitInfo,
} from "./cluster-client.ts";

/** The cluster over HTTP API v1, as any server since the old fleet's serves it. */
export class HttpClient implements ClusterClient {
  readonly #api: FleetApi;
  readonly #onClose: () => void;

  /** @param onClose ends what the connections run through */
  constructor(options: FleetApiOptions, onClose: () => void = () => undefined) {
    this.#api = new FleetApi(options);
    this.#onClose = onClose;
  }

  units(): Promise<readonly UnitInfo[]> {
    return asked(async () => (await this.#api.listUnits()).map(unitInfo));
  }
  unit(name: string, { withText } = { withText: false }): Promise<UnitInfo | null> {
    return asked(async () => {
      const unit = await this.#api.getUnit(name, { text: withText });
      return unit === null ? null : unitInfo(unit);
    });
  }
  async setUnit(name: string, change: UnitChange): Promise<void> {
    await asked(() => this.#api.setUnit(name, change));
  }
  destroyUnit(name: string): Promise<boolean> {
    return asked(() => this.#api.deleteUnit(name));
  }
  states(name?: string): Promise<readonly StateInfo[]> {
    return asked(async () => (await this.#api.listStates(name === undefined ? {} : { unitName: name })).map(stateInfo));
  }
  machines(): Promise<readonly MachineInfo[]> {
    return asked(async () => (await this.#api.listMachines()).map(machineInfo));
  }
  lostMachines(): Promise<readonly MachineInfo[]> {
    return asked(async () => {
      const all = (await this.#api.listMachines({ lost: true })).map(machineInfo);
      return all.filter(({ state }) => state === "lost");
    });
  }
  forgetMachine(machineID: string): Promise<boolean> {
    return asked(() => this.#api.forgetMachine(machineID));
  }
  cordon(machineID: string, drain: boolean): Promise<void> {
    return asked(() => this.#api.cordonMachine(machineID, drain));
  }
  uncordon(machineID: string): Promise<void> {
    return asked(() => this.#api.uncordonMachine(machineID));
  }
  setMetadata(machineID: string, changes: ReadonlyMap<string, string | null>): Promise<void> {
    const operations = [...changes].map(([key, value]): MetadataOperation => {
      const path = `/${machineID}/metadata/${key}`;
      return value === null ? { op: "remove", path } : { op: "add", path, value };
    });
    return asked(() => this.#api.patchMachines(operations));
  }
  rebalance(request: { readonly dryRun: boolean; readonly limit: number }): Promise<readonly Move[]> {
    return asked(() => this.#api.rebalance(request));
  }
  moves(): Promise<readonly Move[]> {
    return asked(() => this.#api.listMoves());
  }
  placement(name: string): Promise<Placement | null> {
    return asked(() => this.#api.getPlacement(name));
  }
  explainVersion(name: string, options: readonly UnitOption[]): Promise<Placement | null> {
    return asked(() => this.#api.explainVersion(name, options));
  }

  async events(
    { filter, after, follow }: EventRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<StreamItem> | null> {
    const stream = this.#stream(filter, after, follow, signal);
    try {
      // The stream's first item says that it is open; a server without events refuses before that.
      const first = await asked(() => stream.next());
      return follows(first, stream);
    } catch (error) {
      if (error instanceof CommandError && error.cause instanceof FleetApiError && isTooOld(error.cause)) return null;
      throw error;
    }
  }

  newestVersion(): string | null {
    return this.#api.serverVersion;
  }

  close(): void {
    this.#api.close();
    this.#onClose();
  }

  #stream(filter: EventFilter, after: number | null, follow: boolean, signal: AbortSignal): AsyncGenerator<StreamItem> {
    const from = after ?? undefined;
    return follow ? this.#api.events(filter, signal, from) : this.#api.pastEvents(filter, signal, from);
  }
}

async function* follows(
  first: IteratorResult<StreamItem>,
  stream: AsyncGenerator<StreamItem>,
): AsyncGenerator<StreamItem> {
  if (first.done !== true) yield first.value;
  for (;;) {
    const next = await asked(() => stream.next());
    if (next.done === true) return;
    yield next.value;
  }
}

function isTooOld({ status }: FleetApiError): boolean {
  return status === 404 || status === 405;
}

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FleetApiError)) throw error;
    const hint = error.code === "timeout" ? " (--request-timeout)" : "";
    const isPassing = error.code === "unreachable" || error.code === "timeout" || error.status === 503;
    throw new CommandError(error.message + hint, { cause: error, isPassing });
  }
}

/** A member as text, whatever a server of another age sends. */
function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function unitInfo(unit: Unit): UnitInfo {
  const name = text(unit.name);
  const options = (Array.isArray(unit.options) ? unit.options : []).map((option) => ({
    section: text(option.section),
    name: text(option.name),
    value: text(option.value),
  }));
  // Some servers tell "inactive" of global units, which have no state of their own.
  const hasState = isDesiredState(unit.currentState) && !readRequirements(name, options).global;
  return {
    name,
    options,
    desiredState: isDesiredState(unit.desiredState) ? unit.desiredState : "inactive",
    currentState: hasState && isDesiredState(unit.currentState) ? unit.currentState : null,
    machineID: text(unit.machineID) || null,
    hasEnded: unit.ended === true,
    ...(typeof unit.text === "string" ? { text: unit.text } : {}),
  };
}

function stateInfo(state: UnitState): StateInfo {
  return {
    name: text(state.name),
    hash: text(state.hash),
    machineID: text(state.machineID),
    load: text(state.systemdLoadState),
    active: text(state.systemdActiveState),
    sub: text(state.systemdSubState),
    error: text(state.error) || null,
    current: isDesiredState(state.currentState) ? state.currentState : null,
    run: runResult(state),
    ...(state.unknown === true ? { unknown: true } : {}),
  };
}

function runResult({ systemdResult, exitStatus, exitSignal, restarts }: UnitState): RunResult | null {
  if (systemdResult === undefined && restarts === undefined) return null;
  return {
    result: text(systemdResult) || "success",
    exitStatus: typeof exitStatus === "number" ? exitStatus : null,
    exitSignal: text(exitSignal) || null,
    restarts: typeof restarts === "number" ? restarts : 0,
  };
}

function machineInfo({ id, primaryIP, hostname, version, metadata, state, since }: Machine): MachineInfo {
  return {
    id: text(id),
    primaryIP: text(primaryIP),
    hostname: text(hostname) || null,
    version: text(version) || null,
    metadata: metadata ?? {},
    state: state ?? null,
    since: text(since) || null,
  };
}
