import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterOrder, isOver, NO_MEMORY, type RollProgress } from "./index.ts";
import { type Behaviour, rollOf, SimulatedRoll } from "./testing/simulated-roll.ts";

const namesOf = (writes: SimulatedRoll["writes"]): readonly string[] =>
  writes.map(({ unit, kind }) => `${kind} ${unit.name}`);

describe("a roll", () => {
  it("gives each unit its new version, one after the other", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.until();
    expect(sim.progress.status).toBe("done");
    expect(namesOf(sim.writes)).toEqual(["replace a.service", "replace b.service", "replace c.service"]);
    expect(sim.mostDown).toBe(1);
  });

  it("takes as many at a time as may be down", () => {
    const sim = new SimulatedRoll(rollOf({ maxUnavailable: 2 }));
    sim.until();
    expect(sim.mostDown).toBe(2);
  });

  it("stops and starts each unit in a restart", () => {
    const sim = new SimulatedRoll(rollOf({ kind: "restart", names: ["a.service", "b.service"] }));
    sim.until();
    expect(namesOf(sim.writes)).toEqual(["stop a.service", "start a.service", "stop b.service", "start b.service"]);
    expect(sim.mostDown).toBe(1);
  });

  it("waits for the settle time before it goes on", () => {
    const sim = new SimulatedRoll(rollOf({ settleMs: 5_000 }));
    sim.until(() => sim.writes.length === 2);
    expect(sim.now).toBeGreaterThan(5_000);
  });

  it("pauses between two units", () => {
    const sim = new SimulatedRoll(rollOf({ pauseMs: 30_000 }));
    sim.until(() => sim.writes.length === 2);
    expect(sim.now).toBeGreaterThan(30_000);
  });

  it("has no limit of its own for a start", () => {
    const sim = new SimulatedRoll(rollOf(), () => "comes up late");
    sim.until();
    expect(sim.progress.status).toBe("done");
  });

  it.each<[Behaviour, string]>([
    ["fails", "a.service failed"],
    ["crashes once", "a.service was restarted by systemd within the settle time"],
  ])("ends where a unit %s, and says so", (behaviour, why) => {
    const sim = new SimulatedRoll(rollOf(), (_name, hash) => (hash === "new" ? behaviour : "comes up"));
    sim.until();
    expect(sim.progress).toMatchObject({ status: "failed", why, phases: ["failed", "waiting", "waiting"] });
  });

  it("gives all their old versions back where it is to undo a failure", () => {
    const roll = rollOf({ onFailure: "undo" });
    const sim = new SimulatedRoll(roll, (name, hash) =>
      hash === "new" && name === "c.service" ? "fails" : "comes up",
    );
    sim.until();
    expect(sim.progress).toMatchObject({ status: "undone", why: "c.service failed" });
    expect(sim.hashes).toEqual(["old", "old", "old"]);
    expect(sim.mostDown).toBe(1);
  });

  it("ends also where the old version fails too", () => {
    const sim = new SimulatedRoll(rollOf({ onFailure: "undo" }), (name) =>
      name === "b.service" ? "fails" : "comes up",
    );
    sim.until();
    expect(sim.progress.status).toBe("undone");
    expect(sim.progress.phases).toEqual(["returned", "stuck", "waiting"]);
    expect(sim.progress.why).toBe("b.service failed; 1 of 3 are not up with their old versions");
    expect(sim.hashes).toEqual(["old", "old", "old"]);
  });

  it("pauses after its canaries, and goes on when it is told to", () => {
    const sim = new SimulatedRoll(rollOf({ canary: 1 }));
    sim.until(() => sim.progress.status === "paused");
    expect(sim.hashes).toEqual(["new", "old", "old"]);
    expect(sim.progress.why).toContain("roll resume");
    sim.progress = { ...sim.progress, status: "running", why: null };
    sim.until();
    expect(sim.hashes).toEqual(["new", "new", "new"]);
  });

  it("fails where a unit fits nowhere, but not while its old machine has to let go of it", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.until(() => sim.writes.length === 1);
    sim.change("a.service", { whereabouts: { kind: "leaving", from: "m1", last: null, preferred: null } });
    const since = sim.now;
    sim.until(() => sim.now > since + 60_000);
    expect(isOver(sim.progress)).toBe(false);
    sim.change("a.service", { whereabouts: { kind: "nowhere", last: null, preferred: null } });
    sim.until();
    expect(sim.progress).toMatchObject({ status: "failed", why: "a.service fits nowhere" });
  });

  it("begins with units that are down, and counts them", () => {
    const sim = new SimulatedRoll(rollOf());
    const down = sim.units.get("c.service");
    if (down?.state != null)
      down.state = { ...down.state, systemd: { load: "loaded", active: "failed", sub: "failed" } };
    sim.until();
    expect(namesOf(sim.writes)[0]).toBe("replace c.service");
    expect(sim.mostDown).toBe(1);
  });

  it("fails where a unit ends, and does not take it for one that is up", () => {
    const sim = new SimulatedRoll(rollOf(), (_name, hash) => (hash === "new" ? "ends" : "comes up"));
    sim.until();
    expect(sim.progress).toMatchObject({
      ...{ status: "failed", phases: ["failed", "waiting", "waiting"] },
      why: "a.service has ended: only units that stay active can be rolled",
    });
  });

  it("counts a unit that was stopped on its machine as down", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.stopByHand("c.service");
    for (let count = 0; count < 10; count++) sim.step();
    expect(namesOf(sim.writes)).toEqual(["replace c.service"]);
  });

  it("notices a restart within the settle time, also where it sees the unit down in between", () => {
    const sim = new SimulatedRoll(rollOf({ settleMs: 5_000 }), (_name, hash) =>
      hash === "new" ? "crashes slowly" : "comes up",
    );
    sim.until();
    expect(sim.progress.why).toBe("a.service was restarted by systemd within the settle time");
  });

  it("is undone though units that it has not touched, or does not have any more, are down, and says what holds it up", () => {
    const sim = new SimulatedRoll(
      rollOf({ names: ["a.service", "b.service", "c.service", "d.service"], pauseMs: 60_000 }),
    );
    sim.until(() => sim.progress.phases[0] === "done");
    sim.progress = {
      ...sim.progress,
      phases: ["done", "done", "left", "waiting"],
      status: "undoing",
      why: "undone by ann; at last",
    };
    sim.change("b.service", { hash: "new" });
    for (const name of ["b.service", "c.service", "d.service"]) sim.break(name);
    sim.until();
    expect(sim.progress.status).toBe("undone");
    expect(sim.progress.phases).toEqual(["returned", "returned", "left", "waiting"]);
    expect(sim.progress.why).toBe("undone by ann; at last; 1 of 4 were changed by somebody else, and left alone");
  });

  it("begins nothing while it is not known whether a unit is up", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.unknown.add("c.service");
    for (let count = 0; count < 60; count++) sim.step();
    expect(sim.writes).toEqual([]);
    expect(sim.progress.why).toBe("waiting: it is not known yet whether c.service is up");
    sim.unknown.clear();
    sim.until();
    expect(sim.progress).toMatchObject({ status: "done", why: null });
  });

  it("says that it waits for units that are down, and goes on when they are up", () => {
    const sim = new SimulatedRoll(rollOf({ pauseMs: 1_000 }));
    sim.until(() => sim.progress.phases[0] === "done");
    sim.break("a.service");
    sim.until(() => sim.progress.why !== null);
    expect(sim.progress.why).toBe("waiting: 1 down (a.service), and at most 1 may be");
    for (let count = 0; count < 100; count++) sim.step();
    expect(sim.progress.phases).toEqual(["done", "waiting", "waiting"]);
    sim.mend("a.service");
    sim.until();
    expect(sim.progress).toMatchObject({ status: "done", why: null });
  });

  it.each([
    ["was given another version by somebody else", { hash: "theirs" }],
    ["was set inactive by somebody else", { desiredState: "inactive" as const }],
  ])("leaves a unit alone that %s", (why, changes) => {
    const sim = new SimulatedRoll(rollOf());
    sim.until(() => sim.writes.length === 1);
    sim.change("a.service", changes);
    sim.change("b.service", changes);
    sim.until();
    expect(sim.progress).toMatchObject({
      status: "done",
      phases: ["left", "left", "done"],
      reasons: { "a.service": why, "b.service": why },
    });
    expect(sim.progress.why).toContain("2 of 3");
  });

  it.each(["a.service", "c.service"])("of restarts leaves %s alone that was stopped by somebody else", (name) => {
    const sim = new SimulatedRoll(rollOf({ kind: "restart" }));
    sim.until(() => sim.progress.phases[0] === "starting");
    sim.change(name, { desiredState: "loaded" });
    sim.until();
    expect(sim.progress.status).toBe("done");
    expect(sim.progress.phases.filter((phase) => phase === "left")).toHaveLength(1);
    expect(sim.units.get(name)?.record.desiredState).toBe("loaded");
  });

  it("leaves a unit alone that was destroyed, or put back", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.until(() => sim.writes.length === 1);
    sim.change("a.service", { hash: "old" });
    sim.units.delete("b.service");
    sim.until();
    expect(sim.progress.phases).toEqual(["left", "left", "done"]);
    expect(sim.progress.reasons).toEqual({
      "a.service": "was put back by somebody else",
      "b.service": "was destroyed by somebody else",
    });
  });

  it("begins nothing while it is paused, and gives back what hangs when it is undone", () => {
    const sim = new SimulatedRoll(rollOf({ maxUnavailable: 1 }), (_name, hash) =>
      hash === "new" ? "comes up late" : "comes up",
    );
    sim.until(() => sim.writes.length === 1);
    sim.progress = { ...sim.progress, status: "paused" };
    sim.until(() => sim.progress.phases[0] === "done");
    for (let count = 0; count < 100; count++) sim.step();
    expect(sim.writes.length).toBe(1);
    sim.progress = { ...sim.progress, status: "running" };
    sim.until(() => sim.writes.length === 2);
    const at = sim.now;
    sim.progress = { ...sim.progress, status: "undoing", why: "asked" };
    sim.until();
    expect(sim.now - at).toBeLessThan(10_000);
    expect(sim.progress).toMatchObject({ status: "undone", phases: ["returned", "returned", "waiting"] });
  });

  it("starts what it has stopped before it is cancelled", () => {
    const sim = new SimulatedRoll(rollOf({ kind: "restart" }));
    sim.until(() => sim.progress.phases[0] === "stopping");
    const after = afterOrder(sim.roll, sim.progress, "cancel", "ann");
    if (typeof after === "string") throw new Error(after);
    sim.progress = after;
    sim.until();
    expect(sim.progress).toMatchObject({
      ...{ status: "cancelled", why: "cancelled by ann" },
      phases: ["done", "waiting", "waiting"],
    });
    expect(sim.down).toBe(0);
  });

  it("goes on under another engine, which remembers nothing", () => {
    const sim = new SimulatedRoll(rollOf());
    sim.until(() => {
      sim.memory = NO_MEMORY;
      return sim.now > 20_000;
    });
    expect(isOver(sim.progress)).toBe(false);
    sim.until();
    expect(sim.hashes).toEqual(["new", "new", "new"]);
  });

  it("never has more units down than may be, always ends, and an undo restores every hash", () => {
    const behaviours = fc.constantFrom<Behaviour>(
      "comes up",
      "comes up",
      "comes up",
      "fails",
      "crashes once",
      "comes up late",
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ old: fc.constantFrom<Behaviour>("comes up", "comes up late"), new: behaviours }), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.record({
          kind: fc.constantFrom("replace" as const, "restart" as const),
          maxUnavailable: fc.integer({ min: 1, max: 5 }),
          settleMs: fc.constantFrom(0, 300, 2_000),
          pauseMs: fc.constantFrom(0, 700),
          canary: fc.constantFrom(null, 1, 3),
          onFailure: fc.constantFrom("stop" as const, "undo" as const),
        }),
        fc.integer({ min: 0, max: 400 }),
        fc.constantFrom<RollProgress["status"]>("running", "paused", "undoing"),
        (units, options, orderAt, order) => {
          const names = units.map((_unit, index) => `u${index}.service`);
          // What is restarted has no old version to go back to.
          const isRestart = options.kind === "restart";
          const onFailure = isRestart ? ("stop" as const) : options.onFailure;
          const sim = new SimulatedRoll(rollOf({ ...options, onFailure, names }), (name, hash) => {
            const behaviour = units[names.indexOf(name)];
            return (hash === "old" && !isRestart ? behaviour?.old : behaviour?.new) ?? "comes up";
          });
          let resumes = 0;
          sim.until(() => {
            if (sim.now === orderAt * 100 && sim.progress.status === "running" && !(order === "undoing" && isRestart))
              sim.progress = { ...sim.progress, status: order };
            else if (sim.progress.status === "paused" && resumes++ >= 0)
              sim.progress = { ...sim.progress, status: "running" };
            return isOver(sim.progress);
          }, 20_000);
          const failed = sim.progress.phases.filter((phase) => phase === "failed").length;
          expect(sim.mostDown).toBeLessThanOrEqual(Math.max(options.maxUnavailable, failed));
          if (sim.progress.status === "undone") expect(new Set(sim.hashes)).toEqual(new Set(["old"]));
          if (sim.progress.status === "done") expect(sim.progress.phases.every((phase) => phase === "done")).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
