import { setTimeout as sleep } from "node:timers/promises";
import { hashText } from "@fleet/domain/unit";
import { type KeyValue, type Registry, RegistryError } from "@fleet/registry";
import type { SeededRandom } from "../testbed/seeded-random.ts";
import type { History } from "./history.ts";

const AGAIN_MS = 300;
const TEXT = "[Service]\nExecStart=/bin/sleep infinity\n";
/** Begins the names of the units that it has. */
const OWN_UNITS = "later-";

/** Whether a key is of a unit that the newer version has, and that stays as it is. */
export function isOfNewerVersion(key: string): boolean {
  return key.split("/").at(-1)?.startsWith(OWN_UNITS) === true;
}

const NOBODY = "d".repeat(32);

/**
 * A version to come that is at work all through a storm: it writes words that this one does not know where this one knows
 * others, and kinds of keys that it has never heard of. What it has written stays as it is, and what it refers to (invariant 14).
 */
export class NewerVersion {
  readonly #registry: Registry;
  readonly #random: SeededRandom;
  readonly #history: History;
  /** What is to stay from one rest to the next, by key. */
  readonly #lasting: ReadonlyMap<string, string>;
  #wasWritten = false;

  constructor(registry: Registry, random: SeededRandom, history: History) {
    this.#registry = registry;
    this.#random = random;
    this.#history = history;
    const { keys } = registry;
    const hash = hashText(TEXT);
    const record = (desiredState: unknown): string => JSON.stringify({ hash, desiredState, section: "" });
    this.#lasting = new Map([
      [keys.unitFile(hash), TEXT],
      // Nothing but a value that can't be read refers to that file.
      [keys.unit(`${OWN_UNITS}0.service`), record("paused")],
      [keys.unit(`${OWN_UNITS}1.service`), record({ from: 8, to: 17 })],
      [keys.cordon(NOBODY), JSON.stringify({ drain: "slowly" })],
      [keys.move(`${OWN_UNITS}0.service`), JSON.stringify({ to: ["a", "b"] })],
      ...["a-kind/x", "fleets/a/b/c", "sagas/x", "state-of-things", "z-kind/x"].map((path): [string, string] => [
        `${keys.prefix}${path}`,
        JSON.stringify({ kind: path }),
      ]),
    ]);
  }

  /** Writes until it is over; what is not to last is as it was before then. */
  async run(isOver: () => boolean): Promise<void> {
    await this.#writeLasting();
    while (!isOver()) {
      await this.#forAMoment(isOver);
      await sleep(this.#random.between(500, 3_000));
    }
  }

  /** What has become of what was to stay: a sentence each. */
  async problems(): Promise<readonly string[]> {
    if (!this.#wasWritten) return [];
    const { gets } = await this.#registry.etcd.txn(
      [],
      [...this.#lasting.keys()].map((get) => ({ get })),
    );
    return [...this.#lasting].flatMap(([key, value], index) => {
      const now = gets[index]?.value ?? "gone";
      return now === value ? [] : [`a newer version has written ${key}, and it is ${now.slice(0, 200)}`];
    });
  }

  /** Where etcd was restored, they may be gone. */
  async #writeLasting(): Promise<void> {
    const ops = [...this.#lasting].map(([put, value]) => ({ put, value }));
    await this.#untilDone(async () => {
      if (!this.#wasWritten || (await this.problems()).length > 0) await this.#registry.etcd.txn([], ops);
      this.#wasWritten = true;
    });
  }

  /** Tells an agent, or all, a state that they do not know; it was another before, and is again. */
  async #forAMoment(isOver: () => boolean): Promise<void> {
    const { etcd, keys } = this.#registry;
    const folder = this.#random.pick([`${keys.prefix}schedule/`, `${keys.prefix}global/`]);
    const written = await this.#entries(folder).then(
      (entries) => (entries.length === 0 ? null : this.#random.pick(entries)),
      () => null,
    );
    if (written === null) return;
    const { key, value, modRevision } = written;
    const later = JSON.stringify({ ...JSON.parse(value), desiredState: "paused", since: this.#random.next() });
    // Whether it was carried out is seen when it is taken back.
    await etcd.txn([{ key, modRevision }], [{ put: key, value: later }]).catch(ignored);
    for (let times = this.#random.between(2, 12); times > 0 && !isOver(); times--) await sleep(250);
    await this.#untilDone(async () => {
      const [now] = (await etcd.txn([], [{ get: key }])).gets;
      if (now?.value !== later) return;
      await etcd.txn([{ key, modRevision: now.modRevision }], [{ put: key, value }]);
      if ((await etcd.txn([], [{ get: key }])).gets[0]?.value === later) throw new RegistryError("conflict", "not yet");
    });
    this.#history.add("fault", `a newer version had ${key.slice(keys.prefix.length)} paused`);
  }

  async #entries(folder: string): Promise<readonly KeyValue[]> {
    const { keyValues } = await this.#registry.etcd.range({ start: folder, end: `${folder.slice(0, -1)}0` });
    // Those of users: what bursts do is looked at in time.
    return keyValues.filter(({ key, value }) => /\/(free|rack|every|want)-\d/.test(key) && value.startsWith("{"));
  }

  async #untilDone(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        ignored(error);
        await sleep(AGAIN_MS);
      }
    }
  }
}

function ignored(error: unknown): void {
  if (!(error instanceof RegistryError)) throw error;
}
