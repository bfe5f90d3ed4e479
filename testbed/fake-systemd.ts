import { type OwnService, type StartJob, type Systemd, SystemdError, type UnitToLoad } from "@fleet/agent";
import type { RunResult, SystemdStates } from "@fleet/domain/unit";
import { FakeSystemdHost } from "./fake-systemd-host.ts";

/** A method of the port that may fail. */
export type SystemdCall = Exclude<keyof Systemd, "lost" | "close" | "onChanged">;

/**
 * A connection to a systemd in memory, held to the real one by systemd-contract.ts. It fails, refuses and is lost when it
 * is told to; what is connected to is its `host`, which goes on without it.
 */
export class FakeSystemd implements Systemd {
  readonly host: FakeSystemdHost;
  readonly lost: Promise<void>;
  /** What was asked for, in order: `load a.service`, `start a.service` and so on, one for each unit; states not. */
  readonly calls: string[] = [];
  readonly #lose: () => void;
  #isLost = false;
  #isDeaf = false;
  readonly #refused = new Map<string, string>();
  readonly #failing = new Set<SystemdCall>();
  readonly #abandon = new Set<(error: SystemdError) => void>();
  readonly #leave: () => void;
  readonly #listeners = new Set<(name: string | null) => void>();

  constructor(host = new FakeSystemdHost()) {
    this.host = host;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lost = promise;
    this.#lose = resolve;
    this.#leave = host.onChanged((name) => this.#changed(name));
  }

  /** Has systemd refuse something for one unit, such as `start a.service`; null: no longer. */
  refuse(call: string, message: string | null = "refused"): void {
    if (message === null) this.#refused.delete(call);
    else this.#refused.set(call, message);
  }

  /** Has a method carry out what it is asked for, and then give no answer; false: it answers again. */
  loseAnswers(call: SystemdCall, isLost = true): void {
    if (isLost) this.#failing.add(call);
    else this.#failing.delete(call);
  }

  /** Has changes go unheard; false: they are heard again, and any unit may have changed meanwhile. */
  goDeaf(isDeaf = true): void {
    this.#isDeaf = isDeaf;
    if (!isDeaf) this.#changed(null);
  }

  onChanged(listener: (name: string | null) => void): void {
    this.#listeners.add(listener);
  }

  async load(units: readonly UnitToLoad[]): Promise<ReadonlyMap<string, SystemdError>> {
    return this.#forEach("load", units, (unit) => this.host.load(unit));
  }

  async start(name: string): Promise<StartJob> {
    this.#ask("start", name);
    const ended = this.#unlessLost(this.host.start(name));
    ended.catch(() => undefined);
    this.#answer("start");
    return { ended };
  }

  async startsUnderWay(names: readonly string[]): Promise<ReadonlyMap<string, StartJob>> {
    this.#checkConnection();
    this.#answer("startsUnderWay");
    const started = new Map<string, StartJob>();
    for (const name of names) {
      const job = this.host.startUnderWay(name);
      if (job === null) continue;
      const ended = this.#unlessLost(job);
      ended.catch(() => undefined);
      started.set(name, { ended });
    }
    return started;
  }

  async stop(name: string, onRunningWith?: (names: readonly string[]) => void): Promise<readonly string[]> {
    this.#ask("stop", name);
    onRunningWith?.(this.host.runningWith(name));
    const along = await this.#unlessLost(this.host.stop(name));
    this.#answer("stop");
    return along;
  }

  async unload(names: readonly string[]): Promise<ReadonlyMap<string, SystemdError>> {
    const units = names.map((name) => ({ name }));
    return this.#forEach("unload", units, ({ name }) => this.host.unload(name));
  }

  async states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    this.#checkConnection();
    this.#answer("states");
    return new Map(names.map((name) => [name, this.host.states(name)]));
  }

  async runResults(names: readonly string[]): Promise<ReadonlyMap<string, RunResult>> {
    this.#checkConnection();
    this.#answer("runResults");
    const results = new Map<string, RunResult>();
    for (const name of names) {
      const run = this.host.runResult(name);
      if (run !== null) results.set(name, run);
    }
    return results;
  }

  async ensureService({ name }: OwnService): Promise<void> {
    this.#ask("ensureService", name);
    this.host.startTransient(name);
    this.#answer("ensureService");
  }

  async kill(names: readonly string[]): Promise<void> {
    this.#checkConnection();
    for (const name of names) this.host.kill(name);
    this.#answer("kill");
  }

  /** Ends the connection, as the bus's own end does. */
  close(): void {
    this.#isLost = true;
    this.#leave();
    for (const abandon of this.#abandon) abandon(connectionLost());
    this.#lose();
  }

  /** Does something for each unit; what is refused for one stops no other. */
  #forEach<U extends { readonly name: string }>(
    call: SystemdCall,
    units: readonly U[],
    work: (unit: U) => void,
  ): ReadonlyMap<string, SystemdError> {
    this.#checkConnection();
    const failed = new Map<string, SystemdError>();
    for (const unit of units) {
      try {
        this.#ask(call, unit.name);
        work(unit);
      } catch (error) {
        if (!(error instanceof SystemdError)) throw error;
        failed.set(unit.name, error);
      }
    }
    this.#answer(call);
    return failed;
  }

  /** Waits for something, unless the connection is lost before. */
  async #unlessLost<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#abandon.add(reject);
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.#abandon.delete(reject);
    }
  }

  #ask(call: SystemdCall, name: string): void {
    this.#checkConnection();
    this.calls.push(`${call} ${name}`);
    const refusal = this.#refused.get(`${call} ${name}`);
    if (refusal !== undefined) throw new SystemdError(refusal);
  }

  #answer(call: SystemdCall): void {
    this.#checkConnection();
    if (this.#failing.has(call)) throw new SystemdError(`systemd did not answer ${call}`, { unavailable: true });
  }

  #checkConnection(): void {
    if (this.#isLost) throw connectionLost();
  }

  #changed(name: string | null): void {
    if (!this.#isLost && !this.#isDeaf) for (const listener of this.#listeners) listener(name);
  }
}

function connectionLost(): SystemdError {
  return new SystemdError("the connection to D-Bus was lost", { unavailable: true });
}
