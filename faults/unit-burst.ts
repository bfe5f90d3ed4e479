import { setTimeout as sleep } from "node:timers/promises";
import { FleetApiError } from "@fleet/client";
import { parseUnitFile } from "@fleet/registry";
import type { History } from "./history.ts";
import type { Traffic } from "./traffic.ts";

const SIZE = 500;
const AT_A_TIME = 16;
const LIMIT_MS = 90_000;

/** Many units on one machine, beside those of the users. */
export class UnitBurst {
  readonly #traffic: Traffic;
  readonly #history: History;
  readonly #machineID: string;
  readonly #names = Array.from({ length: SIZE }, (_, index) => `burst-${index}.service`);

  constructor(traffic: Traffic, history: History, machineID: string) {
    this.#traffic = traffic;
    this.#history = history;
    this.#machineID = machineID;
  }

  /** Starts all, and waits until they are active; or until the machine is out of use, where they wait with a reason. */
  async start(): Promise<void> {
    const options = parseUnitFile(
      `[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nMachineID=${this.#machineID}\n`,
    );
    await this.#each((name) => this.#traffic.api.setUnit(name, { options, desiredState: "launched" }));
    await this.#until("active", (states) => states.filter((state) => state === "active").length === SIZE);
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
        ?.filter(({ name }) => name.startsWith("burst-"))
        .map((state) => state.systemdActiveState ?? "");
      if (own !== undefined && condition(own)) return;
      if (what === "active" && this.#traffic.cordoned === this.#machineID) return;
      if (performance.now() > endsAt) {
        this.#history.break(10, `${SIZE} units on one host were not ${what} within ${LIMIT_MS / 1000} s`);
        return;
      }
      await sleep(300);
    }
  }
}
