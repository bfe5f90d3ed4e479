/** A time in which an engine had no answer from etcd. Times are the engine's own, in milliseconds. */
export interface Silence {
  readonly from: number;
  readonly to: number;
}

/**
 * A silence counts from so large a part of agent_ttl on: agents renew their leases after half of it at the latest, so no
 * shorter silence of etcd lets a lease end that was renewed in time.
 */
const LEAST_SILENCE = 0.5;
/** Machines that vanish within so many agent_ttl after a silence vanish because of it: by then every agent has renewed. */
const TOGETHER = 1;
/** So many agent_ttl after a silence every agent that lives has registered anew. */
const GRACE = 2;
/** Agents connect again after pauses of a few seconds, however short their leases are. */
const LEAST_GRACE_MS = 15_000;

/**
 * Until when a machine that has vanished is to be taken for being there; null: it is gone. When all of etcd stands still
 * for longer than agent_ttl, leases end as it goes on, before the heart-beats that were on their way arrive: machines that
 * vanish right after the engine's own silence are likely well, and so are their units.
 *
 * @param vanishedAt when the engine heard of it
 * @param silence the engine's latest; null: there was none
 */
export function graceUntil(vanishedAt: number, silence: Silence | null, agentTtlMs: number): number | null {
  if (silence === null || silence.to - silence.from < LEAST_SILENCE * agentTtlMs) return null;
  if (vanishedAt < silence.from || vanishedAt > silence.to + TOGETHER * agentTtlMs) return null;
  return silence.to + Math.max(GRACE * agentTtlMs, LEAST_GRACE_MS);
}

/** What an engine knows of machines that have vanished, and of its own silences. Its times come from its owner. */
export class VanishedMachines {
  readonly #agentTtlMs: number;
  readonly #until = new Map<string, number>();
  #heardAt: number;
  #silence: Silence | null = null;

  /** @param now when etcd first answered */
  constructor(agentTtlMs: number, now: number) {
    this.#agentTtlMs = agentTtlMs;
    this.#heardAt = now;
  }

  /** Etcd has answered, or told a change: to be said before what it told is taken in. */
  heard(now: number): void {
    if (now - this.#heardAt >= LEAST_SILENCE * this.#agentTtlMs) this.#silence = { from: this.#heardAt, to: now };
    this.#heardAt = now;
  }

  /** A machine's record went. Returns whether it has a grace: its units stay where they are until that ends. */
  vanished(machineID: string, now: number): boolean {
    const until = graceUntil(now, this.#silence, this.#agentTtlMs);
    if (until === null) return false;
    this.#until.set(machineID, until);
    return true;
  }

  /** A machine is there again. */
  returned(machineID: string): void {
    this.#until.delete(machineID);
  }

  /** Machines whose grace has ended, by ID: they are gone from now on. */
  ended(now: number): readonly string[] {
    const ended = [...this.#until].filter(([, until]) => until <= now).map(([id]) => id);
    for (const id of ended) this.#until.delete(id);
    return ended.sort();
  }

  /** When a machine's grace ends; null: it has none. */
  endOf(machineID: string): number | null {
    return this.#until.get(machineID) ?? null;
  }

  /** When the next grace ends; null: there is none. */
  get nextEnd(): number | null {
    return this.#until.size === 0 ? null : Math.min(...this.#until.values());
  }
}
