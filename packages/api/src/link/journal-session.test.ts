import { LinkError } from "@fleet/link";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JournalQuery } from "./journal-query.ts";
import { JournalSession } from "./journal-session.ts";
import { selectUnits } from "./selection.ts";
import { JournalCluster, JournalMachines, KeptItems, line, queryFor, untilAborted } from "./testing/journal-cluster.ts";

const UNIT = "a.service";
const FOLLOWED: Partial<JournalQuery> = { follow: true };

let cluster: JournalCluster;
let machines: JournalMachines;
let over: AbortController;

beforeEach(() => {
  over = new AbortController();
  machines = new JournalMachines();
  cluster = new JournalCluster();
  cluster.machine("m1", "h1");
  cluster.unit(UNIT, "m1");
  cluster.says("m1", UNIT);
});
afterEach(() => over.abort());

/** A stream of the journal, and what its reader has of it. */
function read(query: JournalQuery): { session: JournalSession; reader: KeptItems; ended: Promise<void> } {
  const reader = new KeptItems();
  const { names } = selectUnits(cluster.state, query.units);
  const { state } = cluster;
  const session = new JournalSession({ state, asker: machines, query, names, reader, signal: over.signal });
  const ended = session.run();
  ended.catch(() => undefined);
  return { session, reader, ended };
}

/** Entries of the past, and, where it is followed, further ones. */
const numbered = (past: readonly number[], coming: readonly number[] = [], unit = UNIT) =>
  async function* (question: { readonly follow?: boolean }, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (const number of question.follow === true ? coming : past) yield line(number, unit);
    if (question.follow === true) await untilAborted(signal);
  };

describe("a journal's past", () => {
  it("is that of all machines in the order of time, with the latest entries only", async () => {
    cluster.machine("m2", "h2");
    cluster.says("m2", UNIT);
    machines.set("m1", numbered([1, 4, 5])).set("m2", numbered([2, 3, 6]));
    const { reader, ended } = read(queryFor([UNIT], { lines: 4 }));
    await ended;
    expect(reader.messages).toEqual([3, 4, 5, 6].map((number) => `entry ${number}`));
    expect(reader.ends).toEqual([]);
    expect(machines.asked.map(({ question }) => question.lines)).toEqual([4, 4]);
  });

  it("goes on after the cursor of each machine, without a limit", async () => {
    machines.set("m1", numbered([4, 5]));
    const after = new Map([["m1", "s=a;i=4;b=b;m=1;t=4;x=1"]]);
    const { reader, ended } = read(queryFor([UNIT], { after }));
    await ended;
    expect(reader.messages).toEqual(["entry 5"]);
    expect(machines.asked).toMatchObject([{ question: { after: "s=a;i=4;b=b;m=1;t=4;x=1" } }]);
    expect(machines.asked[0]?.question).not.toHaveProperty("lines");
  });

  it("says what is missing where a machine is away, does not answer, or can't", async () => {
    for (const machineID of ["m2", "m3", "m4"]) cluster.says(machineID, UNIT);
    cluster.machine("m3", "h3");
    cluster.machine("m4", "h4");
    const failing = (code: "no-answer" | "refused", text: string) =>
      async function* (): AsyncGenerator<Buffer> {
        yield await Promise.reject(new LinkError(code, text));
      };
    machines.set("m1", numbered([1]));
    machines.set("m3", failing("no-answer", "nobody there")).set("m4", failing("refused", "not here"));
    const { reader, ended } = read(queryFor([UNIT]));
    await ended;
    expect(reader.messages).toEqual(["entry 1"]);
    expect(reader.notes.toSorted()).toEqual([
      "machine-away: h3 does not answer (nobody there): its lines are missing",
      "machine-away: m2 is away: its lines are missing",
      "machine-error: h4 can't give its journal: not here",
    ]);
  });

  it("says once of a machine that its clock is off, and keeps the order of each machine's own entries", async () => {
    cluster.machine("m2", "h2");
    cluster.says("m2", UNIT);
    machines.skews.set("m2", -3_600_000);
    machines.set("m1", numbered([5, 6], [7])).set("m2", numbered([1, 2], [3]));
    const { reader } = read(queryFor([UNIT], FOLLOWED));
    await expect.poll(() => reader.messages.length).toBe(6);
    expect(reader.messages.slice(0, 4)).toEqual([1, 2, 5, 6].map((number) => `entry ${number}`));
    expect(reader.messages.slice(4).toSorted()).toEqual(["entry 3", "entry 7"]);
    expect(reader.notes).toEqual([
      "clock-off: h2's clock is 1 h behind this API's: its entries stand where its clock puts them",
    ]);
  });

  it("asks only the machines that are wanted", async () => {
    cluster.machine("m2");
    cluster.says("m2", UNIT);
    await read(queryFor([UNIT], { machines: new Set(["m2"]) })).ended;
    expect(machines.asked.map(({ machineID }) => machineID)).toEqual(["m2"]);
  });
});

describe("a journal that is followed", () => {
  it("has the past, then what comes, each once", async () => {
    machines.set("m1", numbered([1, 2], [2, 3, 4, 5]));
    const { reader } = read(queryFor([UNIT], { ...FOLLOWED, lines: 3 }));
    await expect.poll(() => reader.messages).toEqual([1, 2, 3, 4, 5].map((number) => `entry ${number}`));
    expect(machines.asked.map(({ question: { follow = false, lines, after } }) => [follow, lines, after])).toEqual([
      [false, 3, undefined],
      [true, undefined, "s=a;i=2;b=b;m=1;t=2;x=1"],
    ]);
  });

  it("has units that come later, on the machines where they come", async () => {
    machines.set("m1", numbered([1]));
    const { session, reader } = read(queryFor(["*.service"], FOLLOWED));
    await expect.poll(() => machines.asked.length).toBe(2);
    cluster.machine("m2");
    machines.set("m2", numbered([], [2], "b.service"));
    cluster.unit("b.service", "m2");
    expect(session.isAbout("b.service")).toBe(true);
    session.wake(["b.service"]);
    await expect.poll(() => reader.messages).toEqual(["entry 1", "entry 2"]);
    expect(machines.asked.at(-1)).toMatchObject({ machineID: "m2", question: { arrived: ["b.service"] } });
  });

  it("is not about other units, templates, or names without a unit", () => {
    cluster.unit("b.service", "m1");
    cluster.unit("a@.service", "m1");
    const { session } = read(queryFor([UNIT, "a@*.service"], FOLLOWED));
    expect(["a.service", "b.service", "a@.service", "a@9.service"].map((name) => session.isAbout(name))).toEqual([
      ...[true, false, false, false],
    ]);
    expect(read(queryFor([UNIT])).session.isAbout(UNIT)).toBe(false);
  });

  it("ends when its units have been down for two seconds, with how they ended, and leaves no machine asked", async () => {
    machines.set("m1", numbered([1], [2]));
    const { session, reader, ended } = read(queryFor([UNIT], FOLLOWED));
    await expect.poll(() => reader.messages).toEqual(["entry 1", "entry 2"]);
    const down = { load: "loaded", active: "failed", sub: "failed" };
    cluster.says("m1", UNIT, { systemd: down });
    session.wake([UNIT]);
    await ended;
    expect(reader.ends).toEqual([`${UNIT} failed`]);
    expect(reader.notes).toEqual([`ended: ${UNIT} failed`]);
    // What was written last is read once more.
    expect(machines.asked.at(-1)?.question).toMatchObject({ follow: false });
  });

  it("takes a machine up when it comes back, after its last entry", async () => {
    let isBroken = true;
    machines.set("m1", async function* (question, signal) {
      if (question.follow !== true) return yield line(1, UNIT);
      if (isBroken) throw new LinkError("broken", "cut");
      yield line(2, UNIT);
      await untilAborted(signal);
    });
    const { session, reader } = read(queryFor([UNIT], FOLLOWED));
    await expect.poll(() => reader.notes).toHaveLength(1);
    isBroken = false;
    cluster.noMachine("m1");
    session.wake([]);
    cluster.machine("m1", "h1");
    session.wake([]);
    await expect.poll(() => reader.messages, { timeout: 5_000 }).toEqual(["entry 1", "entry 2"]);
    expect(reader.notes).toEqual([
      "machine-away: h1 does not answer (cut): it is taken up again when it is back",
      "machine-back: h1 answers again",
    ]);
  });

  it.each([
    [new LinkError("refused", "not fleet's"), "machine-error: h1 can't give its journal: not fleet's"],
    [new LinkError("broken", "cut"), "machine-away: h1 does not answer, so its last lines may be missing (cut)"],
  ])("says what its last lines are missing for, and promises no more of them: %s", async (error, note) => {
    let isOver = false;
    machines.set("m1", async function* (question, signal) {
      if (question.follow !== true) {
        if (isOver) throw error;
        yield line(1, UNIT);
        return;
      }
      await untilAborted(signal);
      isOver = true;
    });
    const { session, reader, ended } = read(queryFor([UNIT], FOLLOWED));
    await expect.poll(() => machines.asked).toHaveLength(2);
    cluster.noUnit(UNIT);
    cluster.saysNothing("m1", UNIT);
    session.wake([UNIT]);
    await ended;
    expect(reader.notes).toEqual([`destroyed: ${UNIT} was destroyed`, note]);
  });

  it("ends with the error that nobody had foreseen, and asks no machine any more", async () => {
    cluster.machine("m2");
    cluster.says("m2", UNIT);
    let isStopped = false;
    machines.set("m1", async function* (question, signal) {
      if (question.follow !== true) return yield line(1, UNIT);
      await untilAborted(signal);
      isStopped = true;
    });
    machines.set("m2", async function* ({ follow }) {
      if (follow === true) throw new TypeError("a mistake of ours");
      yield line(2, UNIT);
    });
    await expect(read(queryFor([UNIT], FOLLOWED)).ended).rejects.toThrow("a mistake of ours");
    expect(isStopped).toBe(true);
  });
});
