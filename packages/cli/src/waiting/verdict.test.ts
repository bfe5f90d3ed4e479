import { hashUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { ENDED_MS, Judge, judge } from "./verdict.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const unit: UnitInfo = {
  name: "a.service",
  options,
  desiredState: "launched",
  currentState: "launched",
  machineID: "m",
};
const running: StateInfo = {
  name: "a.service",
  hash: hashUnitFile(options),
  machineID: "m",
  load: "loaded",
  active: "active",
  sub: "running",
  error: null,
};
const ended: StateInfo = { ...running, active: "inactive", sub: "dead" };
const launch = { state: "launched", untilActive: true } as const;
const load = { state: "loaded", untilActive: false } as const;

describe("a unit that is waited for until it is active", () => {
  const trouble = (why: string) => ({ kind: "in-trouble", why });
  it.each([
    ["is there when systemd says that it is active", unit, running, 0, { kind: "there" }],
    ["is there while it reloads", unit, { ...running, active: "reloading" }, 0, { kind: "there" }],
    ["is on its way while it is only loaded", { ...unit, currentState: "loaded" as const }, running, 0, "on-its-way"],
    ["is on its way while its machine says nothing of it", unit, undefined, 0, "on-its-way"],
    ["is on its way while its machine reports the version before", unit, { ...running, hash: "0" }, 0, "on-its-way"],
    ["is on its way while it activates", unit, { ...running, active: "activating" }, 0, "on-its-way"],
    ["is on its way while it activates, however long", unit, { ...running, active: "activating" }, 1e6, "on-its-way"],
    ["is at rest when nothing of it runs", unit, ended, 0, "at-rest"],
    ["is at rest until it has been so for long", unit, ended, ENDED_MS - 1, "at-rest"],
    ["is there when it has been at rest for long: it has run and ended", unit, ended, ENDED_MS, { kind: "there" }],
    [
      "is in trouble when it has failed",
      unit,
      { ...running, active: "failed", sub: "failed" },
      0,
      trouble('failed (failed): "fleetctl status a.service" and "fleetctl journal a.service" say more'),
    ],
    [
      "is in trouble when systemd can't read its file",
      unit,
      { ...ended, load: "bad-setting" },
      0,
      trouble("can't run: systemd says its file is bad-setting"),
    ],
    [
      "is in trouble when its machine could not do what was wanted, whatever its state",
      { ...unit, currentState: "inactive" as const },
      { ...running, error: "no space" },
      0,
      trouble("could not be brought to launched: no space"),
    ],
    [
      "is on its way when the error is of the version before",
      { ...unit, currentState: "inactive" as const },
      { ...running, hash: "0", error: "no space" },
      0,
      "on-its-way",
    ],
    ["is in trouble when it is gone", undefined, undefined, 0, trouble("was destroyed while it was waited for")],
  ])("%s", (_name, one, state, restedMs, verdict) => {
    expect(judge(one, state, launch, restedMs)).toEqual(typeof verdict === "string" ? { kind: verdict } : verdict);
  });
});

it("a unit that is waited for until it is loaded is there when fleet says so, whatever systemd says", () => {
  expect(judge({ ...unit, currentState: "loaded" }, undefined, load, 0)).toEqual({ kind: "there" });
  expect(judge({ ...unit, currentState: "inactive" }, running, load, 0)).toEqual({ kind: "on-its-way" });
});

describe("a unit's rest", () => {
  it("counts from the first look at which it is at rest", () => {
    const judged = new Judge(launch);
    expect(judged.judge("a.service", unit, { ...running, active: "activating" }, 0).kind).toBe("on-its-way");
    expect(judged.isTimed).toBe(false);
    expect(judged.judge("a.service", unit, ended, 5_000).kind).toBe("at-rest");
    expect(judged.isTimed).toBe(true);
    expect(judged.judge("a.service", unit, ended, 5_000 + ENDED_MS - 1).kind).toBe("at-rest");
    expect(judged.judge("a.service", unit, ended, 5_000 + ENDED_MS).kind).toBe("there");
    expect(judged.isTimed).toBe(false);
  });
  it("counts anew when it is forgotten, and for each unit by itself", () => {
    const judged = new Judge(launch);
    judged.judge("a.service", unit, ended, 0);
    judged.judge("b.service", { ...unit, name: "b.service" }, { ...ended, name: "b.service" }, 1_000);
    judged.forget("a.service");
    expect(judged.judge("a.service", unit, ended, ENDED_MS).kind).toBe("at-rest");
    expect(judged.judge("b.service", { ...unit, name: "b.service" }, ended, ENDED_MS).kind).toBe("at-rest");
    expect(judged.judge("b.service", { ...unit, name: "b.service" }, ended, 1_000 + ENDED_MS).kind).toBe("there");
  });
});
