import { beforeEach, describe, expect, it } from "vitest";
import { JournalCluster } from "./testing/journal-cluster.ts";
import { machinesOf, phaseOf } from "./unit-phase.ts";

const UNIT = "a.service";
const DOWN = { systemd: { load: "loaded", active: "inactive", sub: "dead" } };
const FAILED = { systemd: { load: "loaded", active: "failed", sub: "failed" } };
let cluster: JournalCluster;

beforeEach(() => {
  cluster = new JournalCluster();
  cluster.machine("m1");
  cluster.machine("m2");
  cluster.unit(UNIT, "m1");
  cluster.says("m1", UNIT);
});

const phase = (wasUp = false) => phaseOf(cluster.state, UNIT, wasUp);

describe("a unit whose journal is followed", () => {
  it("is up where it runs somewhere, also where the registry does not have it any more", () => {
    expect(phase()).toEqual({ kind: "up" });
    cluster.noUnit(UNIT);
    expect(phase()).toEqual({ kind: "up" });
  });

  it("is destroyed where neither is so", () => {
    cluster.noUnit(UNIT);
    cluster.says("m1", UNIT, DOWN);
    expect(phase()).toEqual({ kind: "destroyed", how: "was destroyed" });
  });

  it("has ended where its machine has started it and it is at rest, with how", () => {
    cluster.says("m1", UNIT, DOWN);
    expect(phase()).toEqual({ kind: "ended", how: "has ended" });
    cluster.says("m1", UNIT, FAILED);
    expect(phase()).toEqual({ kind: "ended", how: "failed" });
  });

  it.each([
    ["its machine has another version of it yet", () => cluster.says("m1", UNIT, { ...DOWN, hash: "older" })],
    ["its machine has not started it yet", () => cluster.says("m1", UNIT, { ...DOWN, current: "loaded" })],
    ["its machine says nothing of it yet", () => cluster.saysNothing("m1", UNIT)],
  ])("is waited for where %s", (_why, change) => {
    change();
    expect(phase()).toEqual({ kind: "waiting" });
  });

  it.each([
    ["it was up since it is followed", "loaded", true, "ended"],
    ["it was never up", "loaded", false, "waiting"],
    ["nobody wants more of it than that it is known", "inactive", false, "ended"],
  ] as const)("that is not to run, where %s", (_why, desiredState, wasUp, kind) => {
    cluster.unit(UNIT, "m1", { desiredState });
    cluster.says("m1", UNIT, DOWN);
    expect(phase(wasUp)).toMatchObject({ kind });
  });

  it("is looked for on the machines that have it, had it last, or say something of it", () => {
    cluster.says("m2", UNIT, DOWN);
    cluster.unit(UNIT, "m1", { whereabouts: { kind: "nowhere", last: "m3", preferred: null } });
    expect([...machinesOf(cluster.state, UNIT)].toSorted()).toEqual(["m1", "m2", "m3"]);
  });
});
