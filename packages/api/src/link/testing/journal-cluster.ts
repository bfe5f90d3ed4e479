import {
  type Change,
  ClusterState,
  encodeMachine,
  encodeState,
  encodeUnit,
  Keys,
  type StateRecord,
  type UnitRecord,
} from "@fleet/domain/cluster";
import type { Answer, JournalQuestion, Question } from "@fleet/link";
import type { JournalQuery } from "../journal-query.ts";
import type { JournalItem, JournalReader } from "../journal-reader.ts";
import type { Asker } from "../machine-journal.ts";

const UP: StateRecord = {
  hash: "h",
  current: "launched",
  systemd: { load: "loaded", active: "active", sub: "running" },
  error: null,
};

/** A mirror's view of a cluster that a test changes. */
export class JournalCluster {
  readonly keys = new Keys("/f/");
  readonly state = new ClusterState(this.keys);
  #revision = 0;

  machine(id: string, hostname?: string): readonly Change[] {
    const machine = { primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" };
    return this.#put(
      this.keys.machine(id),
      encodeMachine({ id, ...machine, ...(hostname === undefined ? {} : { hostname }) }),
    );
  }

  noMachine(id: string): readonly Change[] {
    return this.#delete(this.keys.machine(id));
  }

  /** A unit that is wanted on a machine. */
  unit(name: string, on: string, change: Partial<UnitRecord> = {}): readonly Change[] {
    const whereabouts = { kind: "placed", on } as const;
    const record = { hash: "h", desiredState: "launched", global: false, whereabouts, cause: null } as const;
    return this.#put(this.keys.unit(name), encodeUnit({ ...record, ...change }));
  }

  noUnit(name: string): readonly Change[] {
    return this.#delete(this.keys.unit(name));
  }

  /** What a machine says of a unit: by default that it runs. */
  says(machineID: string, name: string, change: Partial<StateRecord> = {}): readonly Change[] {
    return this.#put(this.keys.state(machineID, name), encodeState({ ...UP, ...change }));
  }

  saysNothing(machineID: string, name: string): readonly Change[] {
    return this.#delete(this.keys.state(machineID, name));
  }

  #put(key: string, value: string): readonly Change[] {
    const revision = ++this.#revision;
    const change = this.state.put({ key, value, createRevision: revision, modRevision: revision });
    return change === null ? [] : [change];
  }

  #delete(key: string): readonly Change[] {
    const change = this.state.delete(key, ++this.#revision);
    return change === null ? [] : [change];
  }
}

/** An entry as journalctl prints it. */
export function line(number: number, unit: string, fields: Readonly<Record<string, unknown>> = {}): Buffer {
  const text = JSON.stringify({
    __CURSOR: `s=a;i=${number.toString(16)};b=b;m=1;t=${number.toString(16)};x=1`,
    __REALTIME_TIMESTAMP: String(1_700_000_000_000_000 + number),
    _SYSTEMD_UNIT: unit,
    MESSAGE: `entry ${number}`,
    ...fields,
  });
  return Buffer.from(`${text}\n`);
}

/** What a machine answers to a question about its journal. */
export type JournalAnswers = (question: JournalQuestion, signal: AbortSignal) => AsyncIterable<Buffer>;

/** Machines that answer questions about their journals, with what they were asked. */
export class JournalMachines implements Asker {
  readonly asked: { readonly machineID: string; readonly question: JournalQuestion }[] = [];
  readonly #answers = new Map<string, JournalAnswers>();
  /** How far each machine's clock is ahead, in milliseconds. */
  readonly skews = new Map<string, number>();

  set(machineID: string, answers: JournalAnswers): this {
    this.#answers.set(machineID, answers);
    return this;
  }

  async *ask(
    machineID: string,
    { journal: question = { units: [] } }: Question,
    { signal = new AbortController().signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Answer, void> {
    this.asked.push({ machineID, question });
    yield { journal: { json: new Uint8Array(), timeMs: Date.now() + (this.skews.get(machineID) ?? 0) } };
    for await (const json of this.#answers.get(machineID)?.(question, signal) ?? []) yield { journal: { json } };
  }
}

/** Waits until a signal aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Keeps what it is sent. */
export class KeptItems implements JournalReader {
  readonly items: JournalItem[] = [];

  async write(items: readonly JournalItem[]): Promise<void> {
    this.items.push(...items);
  }

  get messages(): readonly string[] {
    return this.items.flatMap((item) => ("entry" in item ? [item.entry.message] : []));
  }

  get notes(): readonly string[] {
    return this.items.flatMap((item) => ("note" in item ? [`${item.note.kind}: ${item.note.text}`] : []));
  }

  get ends(): readonly string[] | null {
    const end = this.items.find((item) => "end" in item);
    return end === undefined ? null : end.end.units.map(({ unit, how }) => `${unit} ${how}`);
  }
}

/** A query with what is usual where nothing else is said. */
export function queryFor(units: readonly string[], change: Partial<JournalQuery> = {}): JournalQuery {
  const usual = { machines: new Set<string>(), lines: 10, filters: {}, follow: false, allFields: false };
  return { units, ...usual, after: new Map<string, string>(), ...change };
}
