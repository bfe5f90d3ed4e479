import {
  type EventFilter,
  FleetApi,
  FleetApiError,
  type FleetApiOptions,
  type JournalItem,
  type JournalQuery,
  type Machine,
  type MetadataOperation,
  type Roll,
  type RollOrder,
  type RollRequest,
  type StreamItem,
  type Unit,
  type UnitState,
  type UnitStatus,
  type UsageSample,
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
  UnitVersion,
  UsageRequest,
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
  async setUnit(name: string, change: UnitChange, message: string | null = null): Promise<void> {
    await asked(() => this.#api.setUnit(name, change, message));
  }
  destroyUnit(name: string, message: string | null = null): Promise<boolean> {
    return asked(() => this.#api.deleteUnit(name, message));
  }
  versions(name: string): Promise<readonly UnitVersion[] | null> {
    return asked(() => this.#api.listVersions(name));
  }
  versionText(name: string, number: number): Promise<string | null> {
    return asked(async () => (await this.#api.getVersion(name, number))?.text ?? null);
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
  rolls(): Promise<readonly Roll[] | null> {
    return unlessRefused([404, 405], () => this.#api.listRolls());
  }
  roll(id: string): Promise<Roll | null> {
    return asked(() => this.#api.getRoll(id));
  }
  createRoll(request: RollRequest): Promise<Roll | null> {
    return unlessRefused([404, 405], () => this.#api.createRoll(request));
  }
  orderRoll(id: string, order: RollOrder): Promise<void> {
    return asked(() => this.#api.orderRoll(id, order));
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
    // The stream's first item says that it is open; a server without events refuses before that.
    return unlessRefused([404, 405], () => begun(this.#stream(filter, after, follow, signal)));
  }

  journal(query: JournalQuery, signal: AbortSignal): Promise<AsyncIterable<readonly JournalItem[]> | null> {
    return unlessRefused(NO_LINK, () => begun(this.#api.journal(query, signal)));
  }
  unitStatus(name: string, lines: number): Promise<readonly UnitStatus[] | null> {
    return unlessRefused(NO_LINK, () => this.#api.unitStatus(name, lines));
  }
  usage(machineIDs: readonly string[]): Promise<readonly UsageSample[] | null> {
    return unlessRefused(NO_LINK, () => this.#api.usage({ machines: machineIDs }));
  }

  watchUsage(request: UsageRequest, signal: AbortSignal): Promise<AsyncIterable<UsageSample> | null> {
    return unlessRefused(NO_LINK, () => begun(this.#api.watchUsage(request, signal)));
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

/** What a server says that has no link, does not know the request, or can't reach machines since etcd is away. */
const NO_LINK: readonly number[] = [404, 405, 501, 503];

/** The result of a request; null where the server refuses it with one of these statuses. */
async function unlessRefused<T>(statuses: readonly number[], work: () => Promise<T>): Promise<T | null> {
  try {
    return await asked(work);
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof FleetApiError && cause.status !== null && statuses.includes(cause.status)) return null;
    throw error;
  }
}

/** A stream once it is open. */
async function begun<T>(stream: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  return follows(await stream.next(), stream);
}

async function* follows<T>(first: IteratorResult<T>, stream: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  for (;;) {
    const next = await asked(() => stream.next());
    if (next.done === true) return;
    yield next.value;
  }
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
