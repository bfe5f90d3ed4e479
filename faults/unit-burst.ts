import { setTimeout as sleep } from "node:timers/promises";
import { FleetApiError } from "@fleet/client";
import { parseUnitFile } from "@fleet/registry";
import type { History } from "./history.ts";
import type { Traffic } from "./traffic.ts";

const AT_A_TIME = 16;
const LIMIT_MS = 90_000;

/** Units of one text, beside those of the users. */
export interface BurstOptions {
  /** The first part of their names, which are `KIND-NUMBER.service`. */
  readonly kind: BurstKind;
  readonly size: number;
  readonly text: string;
  readonly desiredState: "inactive" | "launched";
}

/** The kinds of bursts; nothing is left of any of them after its fault. */
export const BURST_KINDS = ["burst", "large", "flap"] as const;
export type BurstKind = (typeof BURST_KINDS)[number];

/** Many units at once, beside those of the users. */
export class UnitBurst {
  readonly #traffic: Traffic;
  readonly #history: History;
  readonly #options: BurstOptions;
  readonly #names: readonly string[];

  constructor(traffic: Traffic, history: History, options: BurstOptions) {
    this.#traffic = traffic;
    this.#history = history;
    this.#options = options;
    this.#names = Array.from({ length: options.size }, (_, index) => `${options.kind}-${index}.service`);
  }

  async submit(): Promise<void> {
    const { text, desiredState } = this.#options;
    const options = parseUnitFile(text);
    await this.#each((name) => this.#traffic.api.setUnit(name, { options, desiredState }));
  }

  /** Waits until all are active; or until a machine is out of use, where they wait with a reason. */
  async allActive(machineID: string): Promise<void> {
    const isThere = (states: readonly string[]): boolean =>
      states.filter((state) => state === "active").length === this.#names.length;
    await this.#until("active", (states) => isThere(states) || this.#traffic.cordoned === machineID);
  }

  async destroy(): Promise<void> {
    await this.#each((name) => this.#traffic.api.deleteUnit(name));
    await this.#until("gone", (states) => states.length === 0);
  }

  async #each(work: (name: string) => Promise<unknown>): Promise<void> {
    const names = [...this.#names];
    const endsAt = performance.now() + LIMIT_MS;
    const worker = async (): Promise<void> => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        try {
          await work(name);
        } catch (error) {
          if (!(error instanceof FleetApiError)) throw error;
          if (performance.now() > endsAt) {
            this.#history.break(6, `${name}: not done within ${LIMIT_MS / 1000} s: ${error.message}`);
            return;
          }
          names.push(name);
          await sleep(300);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  }

  async #until(what: string, condition: (activeStates: readonly string[]) => boolean): Promise<void> {
    const endsAt = performance.now() + LIMIT_MS;
    for (;;) {
      const states = await this.#traffic.api.listStates().catch((error: unknown) => {
        if (error instanceof FleetApiError) return null;
        throw error;
      });
      const own = states
        ?.filter(({ name }) => name.startsWith(`${this.#options.kind}-`))
        .map((state) => state.systemdActiveState ?? "");
      if (own !== undefined && condition(own)) return;
      if (performance.now() > endsAt) {
        this.#history.break(10, `${this.#names.length} units were not ${what} within ${LIMIT_MS / 1000} s`);
        return;
      }
      await sleep(300);
    }
  }
}
