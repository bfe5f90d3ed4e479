import { readFileSync } from "node:fs";
import type { Roll, RollOrder, RollRequest } from "@fleet/client";
import { ConfigError, loadConfig } from "@fleet/config";
import {
  type Change,
  eventsOf,
  findVersion,
  holderOf,
  lostMachines,
  machineOf,
  passesFilter,
  RegistryError,
  tellVersions,
  unitOf,
  unitStatesOf,
  unknownOn,
} from "@fleet/domain/cluster";
import { explainPlacement, explainVersion, lookAt } from "@fleet/domain/placement";
import { planRoll, tellRoll } from "@fleet/domain/roll";
import { checkUnitSize, InvalidUnitError, parseUnitFile, UnitFileError, type UnitOption } from "@fleet/domain/unit";
import {
  changeMetadata,
  cordonMachine,
  createRoll,
  destroyUnknown,
  forgetMachine,
  keptRolls,
  type Mirror,
  orderRoll,
  planMoves,
  type Registry,
  Registry as RegistryOf,
  requestRebalance,
  uncordonMachine,
} from "@fleet/registry";
import type { GlobalFlags } from "../command-line/flag-values.ts";
import { CommandError } from "../errors.ts";
import type {
  ClusterClient,
  EventFilter,
  EventRequest,
  MachineInfo,
  Move,
  Placement,
  StateInfo,
  StreamItem,
  UnitChange,
  UnitInfo,
  UnitVersion,
} from "./cluster-client.ts";
import { newer } from "./version.ts";

/** Who changes units, as their history has it. */
const BY = "fleetctl with the etcd driver";

/** The cluster over its registry in etcd, without any server of fleet's between. */
export async function openEtcdClient(flags: GlobalFlags): Promise<ClusterClient> {
  try {
    const { config } = loadConfig({
      file: null,
      env: {
        FLEET_ETCD_SERVERS: flags.endpoint.startsWith("unix:")
          ? "http://127.0.0.1:2379,http://127.0.0.1:4001"
          : flags.endpoint,
        FLEET_ETCD_KEY_PREFIX: flags.etcdKeyPrefix,
        FLEET_ETCD_REQUEST_TIMEOUT: String(flags.requestTimeoutMs / 1000),
        FLEET_ETCD_CAFILE: flags.caFile,
        FLEET_ETCD_CERTFILE: flags.certFile,
        FLEET_ETCD_KEYFILE: flags.keyFile,
      },
      readFile: (path) => readFileSync(path, "utf8"),
    });
    const client = new EtcdClient(RegistryOf.open(config.etcd), flags.requestTimeoutMs);
    await client.start();
    return client;
  } catch (error) {
    throw asCommandError(error);
  }
}

class EtcdClient implements ClusterClient {
  readonly #registry: Registry;
  readonly #timeoutMs: number;
  readonly #mirror: Mirror;
  readonly #stopping = new AbortController();
  #trouble: RegistryError | null = null;

  constructor(registry: Registry, timeoutMs: number) {
    this.#registry = registry;
    this.#timeoutMs = timeoutMs;
    this.#mirror = registry.mirror({
      inOrder: true,
      onTrouble: (error) => {
        this.#trouble = error;
      },
    });
  }

  /** Reads the registry whole, each page within the request time-out. */
  async start(): Promise<void> {
    void this.#mirror.run(this.#stopping.signal);
    const { promise, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), this.#timeoutMs);
    // The time-out is for one request: a large registry is read in many pages.
    const forget = this.#mirror.onChanges(() => timer.refresh());
    const isLate = (await Promise.race([this.#mirror.ready, promise])) === "late";
    clearTimeout(timer);
    forget();
    if (!isLate) return;
    this.close();
    throw this.#trouble ?? new CommandError("etcd did not answer in time (--request-timeout)");
  }

  async units(): Promise<readonly UnitInfo[]> {
    const names = [...this.#mirror.state.units.keys()].sort();
    return names.flatMap((name) => this.#unit(name) ?? []);
  }

  async unit(name: string, { withText } = { withText: false }): Promise<UnitInfo | null> {
    const unit = this.#unit(name);
    const record = this.#mirror.state.units.get(name);
    if (unit === null || record === undefined || !withText) return unit;
    try {
      const text = await this.#registry.unitText(record);
      return text === null ? unit : { ...unit, text };
    } catch (error) {
      throw asCommandError(error);
    }
  }

  async setUnit(name: string, change: UnitChange, message: string | null = null): Promise<void> {
    // A unit that the registry has lost is taken on again where it runs.
    const [runsOn] = unknownOn(this.#mirror.state, name);
    const heldBy = holderOf(this.#mirror.state, name);
    await this.#write(
      {
        kind: "set",
        name,
        options: change.options ?? null,
        text: change.text ?? null,
        desiredState: change.desiredState ?? null,
        ...(runsOn === undefined ? {} : { prefers: runsOn }),
        ...(heldBy === null ? {} : { heldBy }),
      },
      message,
    );
  }

  async versions(name: string): Promise<readonly UnitVersion[] | null> {
    const versions = await this.#registry
      .versions(name)
      .catch((error: unknown) => Promise.reject(asCommandError(error)));
    return versions.length === 0 ? null : tellVersions(versions, this.#mirror.state.units.get(name) ?? null);
  }

  async versionText(name: string, number: number): Promise<string | null> {
    try {
      const found = findVersion(await this.#registry.versions(name), number);
      return found === null ? null : await this.#registry.unitText(found);
    } catch (error) {
      throw asCommandError(error);
    }
  }

  async destroyUnit(name: string, message: string | null = null): Promise<boolean> {
    try {
      await this.#write({ kind: "destroy", name }, message);
      return true;
    } catch (error) {
      if (error instanceof CommandError && error.cause instanceof RegistryError && error.cause.code === "not-found")
        return this.#destroyUnknown(name);
      throw error;
    }
  }

  async #destroyUnknown(name: string): Promise<boolean> {
    const machineIDs = unknownOn(this.#mirror.state, name);
    try {
      const { etcd, keys } = this.#registry;
      if (machineIDs.length > 0) await destroyUnknown(etcd, keys, name, machineIDs);
    } catch (error) {
      throw asCommandError(error);
    }
    return machineIDs.length > 0;
  }

  async states(name?: string): Promise<readonly StateInfo[]> {
    const { state } = this.#mirror;
    const names = name === undefined ? [...state.states.keys()].sort() : [name];
    return names.flatMap((unit) => unitStatesOf(state, unit).map(({ systemd, ...rest }) => ({ ...rest, ...systemd })));
  }

  async machines(): Promise<readonly MachineInfo[]> {
    const { state } = this.#mirror;
    return [...state.machines.keys()].sort().flatMap((id) => {
      const machine = machineOf(state, id);
      const cordon = state.cordons.get(id);
      return machine === null
        ? []
        : [
            {
              ...machine,
              hostname: machine.hostname ?? null,
              since: null,
              state: cordon === undefined ? null : cordon.drain ? "draining" : "cordoned",
            },
          ];
    });
  }

  async lostMachines(): Promise<readonly MachineInfo[]> {
    return lostMachines(this.#mirror.state).map(({ id, primaryIP, hostname, since }) => ({
      ...{ id, primaryIP, hostname: hostname ?? null, version: null, metadata: {}, state: "lost", since },
    }));
  }
  async forgetMachine(machineID: string): Promise<boolean> {
    if (!this.#mirror.state.knownMachines.has(machineID)) return false;
    const { etcd, keys } = this.#registry;
    await this.#seen(keys.knownMachine(machineID), () => forgetMachine(etcd, keys, machineID));
    return true;
  }

  async cordon(machineID: string, drain: boolean): Promise<void> {
    const { etcd, keys } = this.#registry;
    const since = new Date();
    await this.#seen(keys.cordon(machineID), () => cordonMachine(etcd, keys, machineID, { drain, since }));
  }
  async uncordon(machineID: string): Promise<void> {
    const { etcd, keys } = this.#registry;
    await this.#seen(keys.cordon(machineID), () => uncordonMachine(etcd, keys, machineID));
  }
  async setMetadata(machineID: string, changes: ReadonlyMap<string, string | null>): Promise<void> {
    const { etcd, keys } = this.#registry;
    const [first] = changes.keys();
    if (first === undefined) return;
    const all = [...changes].map(([key, value]) => ({ machineID, key, value: value ?? "" }));
    await this.#seen(keys.machineMetadata(machineID, first), () => changeMetadata(etcd, keys, all));
  }
  async rebalance({ dryRun, limit }: { readonly dryRun: boolean; readonly limit: number }): Promise<readonly Move[]> {
    const moves = finish(planMoves(this.#mirror.state));
    const { etcd, keys } = this.#registry;
    const [first] = moves;
    if (!dryRun && first !== undefined)
      await this.#seen(keys.move(first.unit), () => requestRebalance(etcd, keys, moves, limit));
    return moves;
  }
  async moves(): Promise<readonly Move[]> {
    return [...this.#mirror.state.moves]
      .map(([unit, { to, reason }]) => ({ unit, to, reason }))
      .sort((a, b) => (a.unit < b.unit ? -1 : 1));
  }

  async rolls(): Promise<readonly Roll[]> {
    const { etcd, keys } = this.#registry;
    const kept = await keptRolls(etcd, keys).catch((error: unknown) => Promise.reject(asCommandError(error)));
    return kept.map(({ id, roll, progress }) => tellRoll(id, roll, progress));
  }
  async roll(id: string): Promise<Roll | null> {
    return (await this.rolls()).find((roll) => roll.id === id) ?? null;
  }
  async createRoll(request: RollRequest): Promise<Roll | null> {
    const { etcd, keys } = this.#registry;
    try {
      const records = await this.#registry.units(request.units.map(({ name }) => name));
      const author = { by: BY, at: new Date() };
      const { roll, sources } = planRoll(request, author, (name) => records.get(name) ?? null);
      return await this.roll((await createRoll(etcd, keys, roll, sources)).id);
    } catch (error) {
      throw asCommandError(error);
    }
  }
  async orderRoll(id: string, order: RollOrder): Promise<void> {
    const { etcd, keys } = this.#registry;
    await orderRoll(etcd, keys, id, order, BY).catch((error: unknown) => Promise.reject(asCommandError(error)));
  }

  async placement(name: string): Promise<Placement | null> {
    return finish(explainPlacement(this.#mirror.state, name));
  }
  async explainVersion(name: string, options: readonly UnitOption[]): Promise<Placement | null> {
    const { state } = this.#mirror;
    return finish(explainVersion(state, finish(lookAt(state)), name, options));
  }

  async events({ filter, after, follow }: EventRequest, signal: AbortSignal): Promise<AsyncIterable<StreamItem>> {
    if (!follow || after !== null)
      throw new CommandError("past events are kept by fleet's API only: use it instead of --driver=etcd, or add -f");
    return this.#events(filter, signal);
  }

  async *#events(filter: EventFilter, signal: AbortSignal): AsyncGenerator<StreamItem> {
    const ready: StreamItem[] = [{ kind: "open" }];
    const whole = { units: filter.units ?? [], machines: filter.machines ?? [], kinds: filter.kinds ?? [] };
    let wake = (): void => undefined;
    const listener = (changes: readonly Change[], _revision: number, isGap: boolean): void => {
      const time = new Date().toISOString();
      if (isGap) ready.push({ kind: "gap", message: "events were lost: etcd has compacted them" });
      for (const event of changes.flatMap(eventsOf))
        if (passesFilter(whole, event)) ready.push({ kind: "event", event: { ...event, time } });
      wake();
    };
    const forget = this.#mirror.onChanges(listener);
    const onAbort = (): void => wake();
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        yield* ready.splice(0);
        if (ready.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      forget();
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** etcd tells no journals: machines are asked over SSH. */
  async journal(): Promise<null> {
    return null;
  }
  async unitStatus(): Promise<null> {
    return null;
  }
  async watchUsage(): Promise<null> {
    return null;
  }
  async usage(): Promise<null> {
    return null;
  }

  newestVersion(): string | null {
    return [...this.#mirror.state.machines.values()].map(({ version }) => version).reduce<string | null>(newer, null);
  }

  close(): void {
    this.#stopping.abort();
    this.#registry.close();
  }

  #unit(name: string): UnitInfo | null {
    const unit = unitOf(this.#mirror.state, name);
    if (unit === null) return null;
    const { desiredState, currentState, machineID, global, hash } = unit;
    const hasEnded = this.#mirror.state.units.get(name)?.ended === true;
    return {
      name,
      options: this.#options(hash),
      desiredState,
      currentState: global ? null : currentState,
      machineID,
      hasEnded,
    };
  }

  /** None where the file can't be read: one bad unit must not keep the others from being shown. */
  #options(hash: string): readonly UnitOption[] {
    try {
      return parseUnitFile(this.#mirror.state.unitFiles.get(hash)?.text ?? "");
    } catch (error) {
      if (error instanceof UnitFileError) return [];
      throw error;
    }
  }

  /** Writes, and waits until the mirror shows what was written under a key. */
  async #seen(key: string, write: () => Promise<number>): Promise<void> {
    try {
      await this.#mirror.waitFor(key, await write(), this.#timeoutMs);
    } catch (error) {
      throw asCommandError(error);
    }
  }

  #write(change: Parameters<ReturnType<Registry["unitWriter"]>["submit"]>[0], message: string | null): Promise<void> {
    const author = { by: BY, message };
    const write = async (): Promise<number> => {
      // As an API's limit is by default: beside it nothing would keep a unit from being too large for all who read it.
      if (change.kind === "set") checkUnitSize(change.name, change.options ?? [], undefined, change.text);
      return (await this.#registry.unitWriter().submit(change, author)).revision;
    };
    return this.#seen(this.#registry.keys.unit(change.name), write);
  }
}

/** Runs work that yields, all at once: nobody waits beside this program. */
function finish<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

function asCommandError(error: unknown): unknown {
  if (
    error instanceof ConfigError ||
    error instanceof RegistryError ||
    error instanceof InvalidUnitError ||
    error instanceof UnitFileError
  ) {
    return new CommandError(error.message, {
      cause: error,
      isPassing: error instanceof RegistryError && error.retryable,
    });
  }
  return error;
}
