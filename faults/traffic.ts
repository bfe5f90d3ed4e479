import { FleetApi, FleetApiError } from "@fleet/client";
import { parseUnitFile, type UnitOption } from "@fleet/registry";
import type { SeededRandom } from "../testbed/seeded-random.ts";
import type { History } from "./history.ts";

/** What the users of a run have asked for and been promised. */
export interface Expected {
  readonly options: readonly UnitOption[];
  readonly state: "inactive" | "loaded" | "launched";
}

/** Units by the kind of their names. */
const KINDS: Readonly<Record<string, { readonly count: number; readonly text: string }>> = {
  free: { count: 10, text: "[Service]\nExecStart=/bin/sleep infinity\n" },
  rack: { count: 4, text: "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nMachineMetadata=rack=r1\n" },
  pair: { count: 3, text: "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=pair-*\n" },
  every: { count: 2, text: "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n" },
  want: {
    count: 2,
    text: "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
  },
  slow: {
    count: 2,
    text: "[Service]\nExecStart=/bin/bash -c 'trap \"\" TERM; while :; do sleep 1; done'\nTimeoutStopSec=3\n",
  },
  hangs: {
    count: 1,
    text: "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity\nTimeoutStopSec=3\n",
  },
  newer: { count: 1, text: "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nFromTheFuture=yes\n" },
  fails: { count: 1, text: "[Service]\nExecStart=/bin/false\n" },
};

/** Names of all units that a run may use. */
export const NAMES: readonly string[] = Object.entries(KINDS).flatMap(([kind, { count }]) =>
  Array.from({ length: count }, (_, index) => `${kind}-${index}.service`),
);

export const kindOf = (name: string): string => name.split("-")[0] ?? "";

/** Why a unit may not be on a machine; null: it may. Written down here once more, apart from fleet's own code. */
export function unfit(
  name: string,
  metadata: Readonly<Record<string, string>>,
  others: readonly string[],
): string | null {
  if (kindOf(name) === "rack" && metadata.rack !== "r1") return `its rack is ${metadata.rack}`;
  if (kindOf(name) === "pair" && others.some((other) => kindOf(other) === "pair"))
    return "another of its kind is there";
  return null;
}

const ATTEMPTS_MS = 60_000;

/** Users that change units at random, through any API, and remember what they were promised. */
export class Traffic {
  readonly expected = new Map<string, Expected>();
  /** Units of which the text or the state was changed since this was last emptied. */
  readonly changed = new Set<string>();
  readonly #apis: readonly FleetApi[];
  readonly #random: SeededRandom;
  readonly #history: History;
  readonly #drain: () => readonly string[];
  #cordoned: string | null = null;
  #version = 0;
  calls = 0;

  /** @param machines IDs of machines that may be drained */
  constructor(endpoints: readonly string[], machines: () => readonly string[], random: SeededRandom, history: History) {
    this.#apis = endpoints.map((endpoint) => new FleetApi({ endpoint, timeoutMs: 5_000 }));
    this.#drain = machines;
    this.#random = random;
    this.#history = history;
  }

  /** The machine that is out of use now; null: none. */
  get cordoned(): string | null {
    return this.#cordoned;
  }

  get api(): FleetApi {
    return this.#apis[0] as FleetApi;
  }

  /** Does one thing at random, again and again until it was acknowledged. */
  async act(): Promise<void> {
    const name = this.#random.pick(NAMES);
    const known = this.expected.get(name);
    const choice = this.#random.next();
    if (known === undefined || choice < 0.15) {
      await this.#set(name, this.#text(name), this.#random.next() < 0.8 ? "launched" : "loaded");
    } else if (choice < 0.55) {
      await this.#set(name, null, this.#random.pick(["launched", "launched", "loaded", "inactive"] as const));
    } else if (choice < 0.8) {
      await this.#destroy(name);
    } else if (choice < 0.9) {
      await this.#metadata();
    } else {
      await this.#cordon();
    }
  }

  async uncordon(): Promise<void> {
    const machine = this.#cordoned;
    if (machine === null) return;
    await this.#ask(`uncordon ${machine.slice(0, 8)}`, (api) => api.uncordonMachine(machine));
    this.#cordoned = null;
  }

  close(): void {
    for (const api of this.#apis) api.close();
  }

  #text(name: string): readonly UnitOption[] {
    const text = KINDS[kindOf(name)]?.text ?? "";
    return parseUnitFile(text.replace("[Service]\n", `[Service]\nEnvironment=VERSION=${++this.#version}\n`));
  }

  async #set(name: string, options: readonly UnitOption[] | null, state: Expected["state"]): Promise<void> {
    const whole = options ?? this.expected.get(name)?.options ?? [];
    this.changed.add(name);
    const api = await this.#ask(`${state} ${name}${options === null ? "" : " in a new version"}`, (one) =>
      one.setUnit(name, { options: whole, desiredState: state }),
    );
    this.expected.set(name, { options: whole, state });
    await this.#readBack(api, name, state);
  }

  async #destroy(name: string): Promise<void> {
    this.changed.add(name);
    const api = await this.#ask(`destroy ${name}`, (one) => one.deleteUnit(name));
    this.expected.delete(name);
    await this.#readBack(api, name, null);
  }

  /** The API that has acknowledged a write shows it from then on. */
  async #readBack(api: FleetApi, name: string, state: string | null): Promise<void> {
    try {
      const unit = await api.getUnit(name);
      if ((unit?.desiredState ?? null) !== state) {
        this.#history.break(
          6,
          `${name} was acknowledged as ${state}, and is shown as ${unit?.desiredState ?? "not there"}`,
        );
      }
    } catch (error) {
      if (!(error instanceof FleetApiError)) throw error;
    }
  }

  async #metadata(): Promise<void> {
    const machine = this.#random.pick(this.#drain());
    const value = String(this.#random.between(1, 9));
    const op = { op: "add", path: `/${machine}/metadata/note`, value } as const;
    await this.#ask(`metadata note=${value}`, (api) => api.patchMachines([op]));
  }

  async #cordon(): Promise<void> {
    if (this.#cordoned !== null) return this.uncordon();
    const machine = this.#random.pick(this.#drain());
    await this.#ask(`drain ${machine.slice(0, 8)}`, (api) => api.cordonMachine(machine, true));
    this.#cordoned = machine;
  }

  async #ask(what: string, work: (api: FleetApi) => Promise<unknown>): Promise<FleetApi> {
    const endsAt = performance.now() + ATTEMPTS_MS;
    for (;;) {
      const api = this.#random.pick(this.#apis);
      this.calls++;
      try {
        await work(api);
        this.#history.add("call", `${what}: done`);
        return api;
      } catch (error) {
        if (!(error instanceof FleetApiError)) throw error;
        this.#history.add("call", `${what}: ${error.message}`);
        const isPassing = error.code !== "refused" || error.status === 503 || error.status === 409;
        if (!isPassing || performance.now() > endsAt) {
          this.#history.break(6, `${what} was refused, or not done within ${ATTEMPTS_MS / 1000} s: ${error.message}`);
          return api;
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  }
}
