import { beforeEach, describe, expect, it } from "vitest";
import { FollowedUnit, SETTLE_MS } from "./followed-unit.ts";
import { JournalCluster } from "./testing/journal-cluster.ts";

const UNIT = "a.service";
const DOWN = { systemd: { load: "loaded", active: "inactive", sub: "dead" } };
let cluster: JournalCluster;
let unit: FollowedUnit;

beforeEach(() => {
  cluster = new JournalCluster();
  cluster.machine("m1", "h1");
  cluster.machine("m2", "h2");
  cluster.unit(UNIT, "m1");
  cluster.says("m1", UNIT);
  unit = new FollowedUnit(UNIT);
});

/** What is said of it at a time. */
const look = (now: number): readonly string[] => unit.look(cluster.state, now).notes.map(({ text }) => text);
const restarted = (restarts: number) => ({
  run: { result: "exit-code", exitStatus: 1, exitSignal: null, restarts },
});

describe("a unit that is followed", () => {
  it("has ended when it has been down for two seconds, and not before", () => {
    look(0);
    cluster.says("m1", UNIT, DOWN);
    expect([look(1_000), unit.end, unit.dueAt]).toEqual([[], null, 1_000 + SETTLE_MS]);
    expect([look(2_999), unit.end]).toEqual([[], null]);
    expect([look(3_000), unit.end, unit.dueAt]).toEqual([[`${UNIT} has ended`], "has ended", null]);
    expect(look(4_000)).toEqual([]);
  });

  it("that was at rest when its reader came has ended at once", () => {
    cluster.says("m1", UNIT, DOWN);
    expect([look(0), unit.end]).toEqual([[`${UNIT} has ended`], "has ended"]);
  });

  it("that is up again goes on, which is said", () => {
    look(0);
    cluster.says("m1", UNIT, DOWN);
    look(1_000);
    cluster.says("m1", UNIT);
    expect([look(1_500), unit.end, unit.dueAt]).toEqual([[`${UNIT} was started again`], null, null]);
    expect(look(9_000)).toEqual([]);
  });

  it("that systemd restarts is told as such, but not of restarts before its reader came", () => {
    cluster.says("m1", UNIT, restarted(3));
    expect(look(0)).toEqual([]);
    cluster.says("m1", UNIT, restarted(4));
    expect(look(1)).toEqual([`${UNIT} was restarted by systemd`]);
    expect(look(2)).toEqual([]);
  });

  it("that moves is told with both machines, and looked for on both", () => {
    look(0);
    cluster.unit(UNIT, "m2");
    const { notes, machines } = unit.look(cluster.state, 1);
    expect(notes).toEqual([{ kind: "moved", unit: UNIT, machineID: "m2", text: `${UNIT} moved from h1 to h2` }]);
    expect([...machines].toSorted()).toEqual(["m1", "m2"]);
  });
});
