import { setTimeout as sleep } from "node:timers/promises";
import { type FleetApi, FleetApiError } from "@fleet/client";
import { parseUnitFile, type UnitOption } from "@fleet/registry";
import type { SeededRandom } from "../testbed/seeded-random.ts";
import type { Consistency } from "./consistency.ts";
import type { History } from "./history.ts";
import { byHost, type HostUnit, type Seen } from "./host-units.ts";
import { Session } from "./session.ts";

/** What the users of a run have asked for and been promised. */
export interface Expected {
  readonly options: readonly UnitOption[];
  readonly state: "inactive" | "loaded" | "launched";
}

/** What must never run twice at the same time: it says that it lives, and takes no notice of being asked to stop. */
const ALONE = `[Service]
ExecStart=/bin/bash -c 'trap "" TERM; while :; do echo alive; sleep 0.2; done'
TimeoutStopSec=3
[X-Fleet]
OnPartition=stop
`;

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
  once: { count: 2, text: "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.2\n" },
  alone: { count: 1, text: ALONE },
  fails: { count: 1, text: "[Service]\nExecStart=/bin/false\n" },
};

/** Names of all units that a run may use. */
export const NAMES: readonly string[] = Object.entries(KINDS).flatMap(([kind, { count }]) =>
  Array.from({ length: count }, (_, index) => `${kind}-${index}.service`),
);

/** Units with OnPartition=stop: a machine that is cut off stops them. */
export const ALONE_NAMES: readonly string[] = NAMES.filter((name) => name.startsWith("alone-"));

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
const READ_EVERY_MS = 150;

/** Users that change units at random, through any API, and remember what they were promised. */
export class Traffic {
  readonly expected = new Map<string, Expected>();
  /** Units of which the text or the state was changed since this was last emptied. */
  readonly changed = new Set<string>();
  /** Units that a restored registry has no record of, and what each host that has them said of them then. */
  readonly unknown = new Map<string, ReadonlyMap<number, HostUnit>>();
  readonly #sessions: readonly Session[];
  readonly #random: SeededRandom;
  readonly #history: History;
  readonly #drain: () => readonly string[];
  #cordoned: string | null = null;
  #version = 0;
  /** Fulfilled when users may go on. */
  #gate = Promise.withResolvers<void>();
  /** What the user does just now. */
  #doing: Promise<void> = Promise.resolve();

  /** @param machines IDs of machines that may be drained */
  constructor(
    endpoints: readonly string[],
    machines: () => readonly string[],
    random: SeededRandom,
    history: History,
    consistency: Consistency,
  ) {
    this.#sessions = endpoints.map((endpoint) => new Session(endpoint, consistency));
    this.#drain = machines;
    this.#random = random;
    this.#history = history;
    this.#gate.resolve();
  }

  /** The machine that is out of use now; null: none. */
  get cordoned(): string | null {
    return this.#cordoned;
  }

  get api(): FleetApi {
    return (this.#sessions[0] as Session).api;
  }

  /** Reads units in turn, through every API at once, until it is over. A read that fails says nothing. */
  async read(isOver: () => boolean): Promise<void> {
    const readAll = async (session: Session): Promise<void> => {
      for (let turn = 0; !isOver(); turn++) {
        await this.#read(session, NAMES[turn % NAMES.length] as string);
        await sleep(READ_EVERY_MS);
      }
    };
    await Promise.all(this.#sessions.map(readAll));
  }

  /** Nothing more is asked for until it is released. */
  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  release(): void {
    this.#gate.resolve();
  }

  /** Fulfilled when nothing that was asked for is under way. */
  get idle(): Promise<void> {
    return this.#doing;
  }

  /**
   * Takes over what a restored registry holds: what was promised after its backup is lost by the restore itself.
   *
   * @param cordoned the machine that it has out of use; null: none
   * @param seen what the hosts said when etcd was restored
   */
  restored(held: ReadonlyMap<string, Expected>, cordoned: string | null, seen: Seen): void {
    this.#cordoned = cordoned;
    for (const name of NAMES) {
      const [before, after] = [this.expected.get(name), held.get(name)];
      const there = byHost(seen, name);
      if (JSON.stringify(before) !== JSON.stringify(after)) this.changed.add(name);
      if (after !== undefined) {
        this.expected.set(name, after);
        this.unknown.delete(name);
      } else if (this.expected.delete(name) && there.size > 0) this.unknown.set(name, there);
    }
  }

  /** A host has lost all that ran on it. */
  lostHost(host: number): void {
    for (const [name, hosts] of this.unknown) {
      const left = new Map([...hosts].filter(([index]) => index !== host));
      if (left.size > 0) this.unknown.set(name, left);
      else this.unknown.delete(name);
    }
  }

  /** Does one thing at random, again and again until it was acknowledged. */
  async act(): Promise<void> {
    await this.#gate.promise;
    this.#doing = this.#act();
    await this.#doing;
  }

  async #act(): Promise<void> {
    const name = this.#random.pick(NAMES);
    const known = this.expected.get(name);
    const choice = this.#random.next();
    if (this.unknown.has(name) && choice < 0.3) {
      await this.#destroy(name);
    } else if (known === undefined || choice < 0.15) {
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
    await this.#ask(`uncordon ${machine.slice(0, 8)}`, ({ api }) => api.uncordonMachine(machine));
    this.#cordoned = null;
  }

  close(): void {
    for (const session of this.#sessions) session.close();
  }

  #text(name: string): readonly UnitOption[] {
    const text = KINDS[kindOf(name)]?.text ?? "";
    return parseUnitFile(text.replace("[Service]\n", `[Service]\nEnvironment=VERSION=${++this.#version}\n`));
  }

  async #set(name: string, options: readonly UnitOption[] | null, state: Expected["state"]): Promise<void> {
    const whole = options ?? this.expected.get(name)?.options ?? [];
    this.changed.add(name);
    const session = await this.#ask(`${state} ${name}${options === null ? "" : " in a new version"}`, (one) =>
      one.set(name, whole, state),
    );
    this.expected.set(name, { options: whole, state });
    this.unknown.delete(name);
    await this.#read(session, name);
  }

  async #destroy(name: string): Promise<void> {
    this.changed.add(name);
    const session = await this.#ask(`destroy ${name}`, (one) => one.destroy(name));
    this.expected.delete(name);
    this.unknown.delete(name);
    await this.#read(session, name);
  }

  async #read(session: Session, name: string): Promise<void> {
    try {
      await session.read(name);
    } catch (error) {
      if (!(error instanceof FleetApiError)) throw error;
    }
  }

  async #metadata(): Promise<void> {
    const machine = this.#random.pick(this.#drain());
    const value = String(this.#random.between(1, 9));
    const op = { op: "add", path: `/${machine}/metadata/note`, value } as const;
    await this.#ask(`metadata note=${value}`, ({ api }) => api.patchMachines([op]));
  }

  async #cordon(): Promise<void> {
    if (this.#cordoned !== null) return this.uncordon();
    const machine = this.#random.pick(this.#drain());
    await this.#ask(`drain ${machine.slice(0, 8)}`, ({ api }) => api.cordonMachine(machine, true));
    this.#cordoned = machine;
  }

  async #ask(what: string, work: (session: Session) => Promise<unknown>): Promise<Session> {
    const endsAt = performance.now() + ATTEMPTS_MS;
    for (;;) {
      const session = this.#random.pick(this.#sessions);
      try {
        await work(session);
        this.#history.add("call", `${what}: done`);
        return session;
      } catch (error) {
        if (!(error instanceof FleetApiError)) throw error;
        this.#history.add("call", `${what}: ${error.message}`);
        const isPassing = error.code !== "refused" || error.status === 503 || error.status === 409;
        if (!isPassing || performance.now() > endsAt) {
          this.#history.break(6, `${what} was refused, or not done within ${ATTEMPTS_MS / 1000} s: ${error.message}`);
          return session;
        }
        await sleep(300);
      }
    }
  }
}
