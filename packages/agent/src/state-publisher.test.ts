import type { EndedRecord } from "@fleet/domain/cluster";
import type { MachineRegistration, StateUpdate } from "@fleet/registry";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { FakeSystemd } from "../../../testbed/fake-systemd.ts";
import type { PresentUnit } from "./model/next-task.ts";
import { reportedState } from "./model/reported-state.ts";
import { StatePublisher } from "./state-publisher.ts";

const clock = fakeClock();

/** A publisher of units that run on a fake systemd; `answers` are those that the registry still owes. */
function publisher(...names: readonly string[]) {
  const note: { ended: EndedRecord | null | undefined } = { ended: undefined };
  const systemd = new FakeSystemd();
  const present = new Map<string, PresentUnit>();
  for (const name of names) {
    systemd.host.startTransient(name);
    present.set(name, { name, hash: "h1", isLaunched: true, isStopped: false, isUnfinished: false });
  }
  const writes: (readonly StateUpdate[])[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  const held = { isHeld: false };
  const takenBack: string[] = [];
  const registration = {
    publish: async (updates: readonly StateUpdate[]) => {
      writes.push(updates);
      const answer = Promise.withResolvers<void>();
      if (held.isHeld) answers.push(answer);
      else answer.resolve();
      await answer.promise;
    },
    takeBackEnded: async (name: string) => {
      takenBack.push(name);
    },
  } as unknown as MachineRegistration;
  const made = new StatePublisher({
    runner: {
      present,
      noticeMissing: () => false,
      launches: { isStarting: () => false },
      stateOf: (name, states, run = null) => reportedState(present.get(name), undefined, states, run),
    },
    systemd: () => systemd,
    onMissing: () => undefined,
    endedNote: () => note.ended,
  });
  const told = (): readonly string[][] =>
    writes.map((updates) => updates.map(({ name, state }) => `${name} ${state?.systemd.active ?? "gone"}`));
  const runs = () =>
    writes.map((updates) =>
      Object.fromEntries(updates.flatMap(({ name, state }) => (state?.run ? [[name, state.run]] : []))),
    );
  return { made, systemd, present, registration, told, runs, answers, held, note, writes, takenBack };
}

describe("states of units", () => {
  it("tell of a failure, and of restarts for as long as systemd counts them", async () => {
    const { made, systemd, registration, runs } = publisher("a.service", "b.service");
    made.begin(registration, []);
    await made.round();
    systemd.host.crashAndRestart("a.service");
    made.touch("a.service");
    await made.round();
    systemd.host.release("start", "a.service");
    void systemd.host.start("b.service");
    systemd.host.crash("b.service");
    made.touch("b.service");
    await made.round();
    const failure = { result: "exit-code", exitStatus: 1, exitSignal: null };
    expect(runs()).toEqual([
      {},
      { "a.service": { ...failure, restarts: 1 } },
      { "b.service": { ...failure, restarts: 0 } },
    ]);
  });
  it("are written once they differ from what was written, and not again", async () => {
    const { made, systemd, registration, told } = publisher("a.service", "b.service");
    made.begin(registration, []);
    await made.round();
    await made.round();
    systemd.host.crash("a.service");
    made.touch("a.service");
    await made.round();
    expect(told()).toEqual([["a.service active", "b.service active"], ["a.service failed"]]);
  });
  it("are not written before the machine has entered, and all of them each time that it enters", async () => {
    const { made, registration, told } = publisher("a.service");
    made.touchAll();
    await made.round();
    expect(told()).toEqual([]);
    made.begin(registration, ["left.service"]);
    await made.round();
    made.touchAll();
    await made.round();
    made.begin(registration, []);
    made.touchAll();
    await made.round();
    expect(told()).toEqual([["a.service active"], ["left.service gone"], ["a.service active"]]);
  });
  it("are written anew where a write has failed", async () => {
    const { made, registration, told, answers, held } = publisher("a.service");
    made.begin(registration, []);
    held.isHeld = true;
    const failing = expect(made.round()).rejects.toThrow("no answer");
    await clock.pass(0);
    answers[0]?.reject(new Error("no answer"));
    await failing;
    held.isHeld = false;
    await made.round();
    expect(told()).toEqual([["a.service active"], ["a.service active"]]);
  });
  it("that an answer confirms after the machine has entered anew are written again: they went with its last lease", async () => {
    const { made, registration, told, answers, held } = publisher("a.service");
    made.begin(registration, []);
    held.isHeld = true;
    const round = made.round();
    await clock.pass(0);
    held.isHeld = false;
    made.begin({ ...registration } as MachineRegistration, []);
    answers[0]?.resolve();
    await round;
    made.touchAll();
    await made.round();
    expect(told()).toEqual([["a.service active"], ["a.service active"]]);
  });
  it("that a write without an answer may have left are taken away with their unit", async () => {
    const { made, present, registration, told, answers, held } = publisher("a.service");
    made.begin(registration, []);
    held.isHeld = true;
    const failing = expect(made.round()).rejects.toThrow("no answer");
    await clock.pass(0);
    answers[0]?.reject(new Error("no answer"));
    await failing;
    held.isHeld = false;
    present.clear();
    await made.round();
    expect(told()).toEqual([["a.service active"], ["a.service gone"]]);
  });
  it("that change while a write is under way are written after it, in their newest form", async () => {
    const { made, systemd, registration, told, answers, held } = publisher("a.service");
    made.begin(registration, []);
    held.isHeld = true;
    let isOver = false;
    const round = made.round().finally(() => {
      isOver = true;
    });
    await clock.pass(0);
    systemd.host.crash("a.service");
    made.touch("a.service");
    await clock.pass(60_000);
    expect([isOver, told()]).toEqual([false, [["a.service active"]]]);
    held.isHeld = false;
    answers[0]?.resolve();
    await round;
    await made.round();
    expect(told()).toEqual([["a.service active"], ["a.service failed"]]);
  });
  it("of many units at a time are gathered for a moment: what changes in it is told once", async () => {
    const names = Array.from({ length: 5 }, (_, index) => `u${index}.service`);
    const { made, systemd, registration, told } = publisher(...names);
    made.begin(registration, []);
    made.touchAll();
    const round = made.round();
    await clock.pass(19);
    expect(told()).toEqual([]);
    systemd.host.crash("u0.service");
    await clock.pass(1);
    await round;
    expect(told()).toEqual([["u0.service failed", ...names.slice(1).map((name) => `${name} active`)]]);
  });
});

describe("states of units that flap", () => {
  it("are told more and more seldom, those of others at once, and the last one is told", async () => {
    const { made, systemd, registration, told } = publisher("flaps.service", "calm.service");
    made.begin(registration, []);
    let dueAt = 0;
    const round = async (): Promise<void> => {
      dueAt = performance.now() + (await made.round());
    };
    await round();
    for (let second = 0; second < 300; second++) {
      systemd.host.crashAndRestart("flaps.service");
      made.touch("flaps.service");
      await round();
      await clock.pass(1_000);
    }
    expect(told().length).toBeLessThan(60);
    const before = told().length;
    systemd.host.crash("calm.service");
    made.touch("calm.service");
    await round();
    expect(told().slice(before).flat()).toContain("calm.service failed");
    systemd.host.crash("flaps.service");
    made.touch("flaps.service");
    await round();
    for (let rounds = 0; rounds < 3; rounds++) {
      await clock.pass(Math.max(0, Math.min(10_000, dueAt - performance.now())));
      await round();
    }
    expect(told().at(-1)).toEqual(["flaps.service failed"]);
  });
  it("are told at once where fleet itself has done something to the unit", async () => {
    const { made, systemd, present, registration, told } = publisher("a.service");
    made.begin(registration, []);
    for (let change = 0; change < 30; change++) {
      systemd.host.crashAndRestart("a.service");
      made.touch("a.service");
      await made.round();
    }
    expect(told().length).toBeLessThan(10);
    present.set("a.service", {
      ...{ name: "a.service", hash: "h1", isLaunched: false },
      ...{ isStopped: true, isUnfinished: false },
    });
    const before = told().length;
    made.touch("a.service");
    await made.round();
    expect(told().length).toBe(before + 1);
  });
});

describe("the note that a unit has ended", () => {
  const ended = { hash: "h1" };
  const noted = (writes: readonly (readonly StateUpdate[])[]): unknown[] =>
    writes.map((updates) => updates.map((update) => update.ended));

  it("is written once, and taken away once", async () => {
    const { made, registration, note, writes } = publisher("a.service");
    made.begin(registration, []);
    note.ended = ended;
    for (let round = 0; round < 3; round++) await made.round();
    note.ended = null;
    for (let round = 0; round < 3; round++) await made.round();
    expect(noted(writes)).toEqual([[ended], [null]]);
  });
  it("is not written again where the registry holds it already", async () => {
    const { made, registration, note, writes } = publisher("a.service");
    note.ended = ended;
    made.begin(registration, [], new Map([["a.service", "h1"]]));
    await made.round();
    expect(noted(writes)).toEqual([[undefined]]);
    made.begin(registration, [], new Map([["a.service", "h0"]]));
    await made.round();
    expect(noted(writes)).toEqual([[undefined], [ended]]);
  });
  it("is taken back before a start only where there may be one, and after the write that may bring it", async () => {
    const { made, registration, note, answers, held, takenBack } = publisher("a.service");
    made.begin(registration, []);
    await made.takeBackEnded("a.service");
    note.ended = ended;
    held.isHeld = true;
    const round = made.round();
    await clock.pass(0);
    const back = made.takeBackEnded("a.service");
    await clock.pass(0);
    expect(takenBack).toEqual([]);
    answers[0]?.resolve();
    await Promise.all([round, back]);
    await made.takeBackEnded("a.service");
    expect(takenBack).toEqual(["a.service"]);
  });
});
