import { FleetApi } from "@fleet/client";
import { hashUnitFile, type UnitOption } from "@fleet/registry";
import type { Call, Consistency, Value } from "./consistency.ts";

/** What users see of a unit, by its hash and its desired state. */
export function seenAs(hash: string, desiredState: string): Value {
  return `${hash.slice(0, 8)} ${desiredState}`;
}

/** A client that stays with one API. What it asks of units, and what it is told, goes into a `Consistency`. */
export class Session {
  readonly api: FleetApi;
  readonly #endpoint: string;
  readonly #consistency: Consistency;

  constructor(endpoint: string, consistency: Consistency) {
    this.api = new FleetApi({ endpoint, timeoutMs: 5_000 });
    this.#endpoint = endpoint;
    this.#consistency = consistency;
  }

  /** @throws FleetApiError */
  async set(unit: string, options: readonly UnitOption[], desiredState: "inactive" | "loaded" | "launched") {
    const value = seenAs(hashUnitFile(options), desiredState);
    await this.#write(unit, value, () => this.api.setUnit(unit, { options, desiredState }));
  }

  /** @throws FleetApiError */
  async destroy(unit: string): Promise<void> {
    await this.#write(unit, null, () => this.api.deleteUnit(unit));
  }

  /** @throws FleetApiError */
  async read(unit: string): Promise<void> {
    const startedAt = performance.now();
    const found = await this.api.getUnit(unit);
    const value = found === null ? null : seenAs(hashUnitFile(found.options), found.desiredState);
    this.#ended({ kind: "read", unit, value, startedAt, acknowledged: true });
  }

  close(): void {
    this.api.close();
  }

  async #write(unit: string, value: Value, work: () => Promise<unknown>): Promise<void> {
    const startedAt = performance.now();
    this.#consistency.asks(unit, value, startedAt);
    let acknowledged = false;
    try {
      await work();
      acknowledged = true;
    } finally {
      this.#ended({ kind: "write", unit, value, startedAt, acknowledged });
    }
  }

  #ended(call: Omit<Call, "session" | "endedAt">): void {
    this.#consistency.ended({ ...call, session: this.#endpoint, endedAt: performance.now() });
  }
}
