import { setImmediate as turn } from "node:timers/promises";
import type { UsageSample } from "@fleet/client/description";
import { type Answer, LinkError, type Question } from "@fleet/link";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Asker } from "./machine-journal.ts";
import { JournalCluster, KeptItems, untilAborted } from "./testing/journal-cluster.ts";
import { UsageSession, type UsageSessionOptions } from "./usage-session.ts";

let cluster: JournalCluster;
let reader: KeptItems;
let over: AbortController;
let running: Set<string>;

beforeEach(() => {
  cluster = new JournalCluster();
  cluster.machine("m1", "h1");
  reader = new KeptItems();
  over = new AbortController();
  running = new Set();
});
afterEach(() => over.abort());

/** Each machine answers as many samples as were asked for, or one and then none. */
const machines: Asker = {
  async *ask(machineID: string, { usage }: Question, { signal = over.signal } = {}): AsyncGenerator<Answer> {
    running.add(machineID);
    const memory = { totalBytes: 1, availableBytes: 1, swapTotalBytes: 0, swapFreeBytes: 0 };
    const machine = { monotonicMs: 1, uptimeSeconds: 1, cpus: 1, load: [1], cpuBusyMs: 1, memory, units: [] };
    for (let taken = 0; taken < (usage?.count || 1); taken++) yield { usage: { atMs: 0, ...machine } };
    if (usage?.count === 0) await untilAborted(signal);
    running.delete(machineID);
  },
};

function sessionOf(change: Partial<UsageSessionOptions> = {}): UsageSession {
  const options = { state: cluster.state, asker: machines, machines: [], intervalMs: 200, count: 0 };
  return new UsageSession({ ...options, reader, signal: over.signal, ...change });
}

const samples = (): readonly UsageSample[] => reader.items.flatMap((item) => ("sample" in item ? [item.sample] : []));

describe("a stream of what machines use", () => {
  it("has as many samples of each machine as were asked for, and ends", async () => {
    cluster.machine("m2", "h2");
    await sessionOf({ count: 3 }).run();
    expect(samples().filter(({ hostname }) => hostname === "h1")).toHaveLength(3);
    expect(samples().filter(({ hostname }) => hostname === "h2")).toHaveLength(3);
  });

  it("takes up machines that come, also where there was none", async () => {
    cluster.noMachine("m1");
    const session = sessionOf();
    const ended = session.run();
    cluster.machine("m2", "h2");
    session.wake();
    await expect.poll(() => samples().map(({ machineID }) => machineID)).toEqual(["m2"]);
    cluster.machine("m3", "h3");
    session.wake();
    await expect.poll(() => samples().map(({ machineID }) => machineID)).toEqual(["m2", "m3"]);
    over.abort();
    await ended;
    expect([...running]).toEqual([]);
  });

  it("of some machines has no others", async () => {
    const session = sessionOf({ machines: ["m1"] });
    const ended = session.run();
    await expect.poll(() => samples()).toHaveLength(1);
    cluster.machine("m2", "h2");
    session.wake();
    await turn();
    over.abort();
    await ended;
    expect(samples().map(({ machineID }) => machineID)).toEqual(["m1"]);
  });

  it("says once why a machine gives none, and has the others", async () => {
    cluster.machine("m2", "h2");
    const asker: Asker = {
      async *ask(machineID, question, options) {
        if (machineID === "m2") throw new LinkError("no-answer", "nobody there");
        yield* machines.ask(machineID, question, options);
      },
    };
    await sessionOf({ asker, machines: ["m1", "m2", "m9"], count: 1 }).run();
    expect(samples().toSorted((a, b) => (a.machineID < b.machineID ? -1 : 1))).toMatchObject([
      { machineID: "m1", hostname: "h1", cpus: 1 },
      { machineID: "m2", hostname: "h2", error: "nobody there" },
      { machineID: "m9", error: expect.stringContaining("is away") },
    ]);
  });

  it("ends with an error that nobody had foreseen, also one of a machine that came later, and asks nobody any more", async () => {
    const asker: Asker = {
      async *ask(machineID, question, options) {
        if (machineID === "m2") throw new TypeError("a mistake of ours");
        yield* machines.ask(machineID, question, options);
      },
    };
    const session = sessionOf({ asker });
    const ended = session.run();
    ended.catch(() => undefined);
    await expect.poll(() => samples()).toHaveLength(1);
    cluster.machine("m2", "h2");
    session.wake();
    await expect(ended).rejects.toThrow("a mistake of ours");
    expect([...running]).toEqual([]);
  });
});
