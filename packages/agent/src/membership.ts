import { setTimeout as sleep } from "node:timers/promises";
import { type Keys, type MachineRecord, RegistryError } from "@fleet/domain/cluster";
import { backoff, SaidOnce } from "@fleet/loop";
import { type Etcd, Lease, MachineRegistration } from "@fleet/registry";
import type { BaseLogger } from "pino";

/** What a machine's membership of the cluster needs. */
export interface MembershipOptions {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly log: BaseLogger;
  readonly ttlMs: number;
  readonly record: () => MachineRecord;
  /** Called each time the machine has entered the registry, before anything else is written under it. */
  readonly onEntered: (registration: MachineRegistration) => Promise<void>;
  /** Hears of each heart-beat that was confirmed, with the time, by performance.now(), at which it was sent. */
  readonly onBeat: (askedAt: number) => void;
  /** Milliseconds between heart-beats; null: half of the time to live. */
  readonly beatMs: () => number | null;
}

/**
 * Keeps this machine in the registry: enters it under a lease, keeps the lease alive, and enters it again when the lease
 * was lost. Whatever happens to it, no unit is touched for it.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #lease: Lease | null = null;
  #registration: MachineRegistration | null = null;
  #refusal: string | null = null;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Why the registry refuses this machine, as it does while another holds its ID; null: it does not. */
  get refusal(): string | null {
    return this.#refusal;
  }
  get isEntered(): boolean {
    return this.#registration !== null;
  }
  /** Whether the machine is certainly in the registry: its lease was confirmed within its time to live. */
  get isSure(): boolean {
    return this.#registration !== null && this.#lease?.isAlive === true;
  }
  get leaseID(): string | null {
    return this.#lease?.id ?? null;
  }

  /** Has a heart-beat sent at once. */
  beat(): void {
    this.#lease?.beat();
  }

  /** Stays a member until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, ttlMs } = this.#options;
    const trouble = new SaidOnce<RegistryError>(({ code, message }) => log.error({ code }, message));
    while (!signal.aborted) {
      try {
        await this.#enter();
        trouble.over();
        await this.#lease?.keepAlive(signal);
        if (signal.aborted) return;
        log.warn("the machine's lease was lost; entering the registry again, the units go on running");
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        this.#refusal = error.code === "refused" ? error.message : null;
        trouble.say(error);
        await sleep(Math.min(ttlMs / 4, 2_000), undefined, { signal }).catch(() => undefined);
      }
      this.#registration = null;
    }
  }

  /** Publishes the machine's record anew, after the configuration changed; where etcd is away, once it is back. */
  async update(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#registration?.update(this.#options.record());
        return;
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        this.#options.log.warn(
          { code: error.code },
          `the machine could not be published anew and is tried again: ${error.message}`,
        );
        await sleep(backoff(failures), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Takes the machine out of the registry. */
  async leave(): Promise<void> {
    const registration = this.#registration;
    this.#registration = null;
    await registration?.leave();
  }

  async #enter(): Promise<void> {
    const { etcd, keys, ttlMs, log, record, onEntered, onBeat, beatMs } = this.#options;
    // A lease of an earlier try that did not lead to an entry is still good.
    if (this.#lease === null || !this.#lease.isAlive || (await etcd.keepLeaseAlive(this.#lease.id)) <= 0) {
      const onTrouble = (error: RegistryError): void => {
        log.warn({ code: error.code }, `a heart-beat failed and is tried again: ${error.message}`);
      };
      const onConfirmed = (askedAt: number): void => {
        if (this.#registration !== null) onBeat(askedAt);
      };
      this.#lease = await Lease.grant({ etcd, ttlMs, onTrouble, onConfirmed, pauseMs: beatMs });
    }
    const registration = await MachineRegistration.enter(etcd, keys, this.#lease, record());
    this.#refusal = null;
    await onEntered(registration);
    this.#registration = registration;
    onBeat(this.#lease.confirmedAt);
    log.info(
      { machineID: record().id, ip: record().primaryIP, lease: this.#lease.id },
      "the machine has entered the registry",
    );
  }
}
