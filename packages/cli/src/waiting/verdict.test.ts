import { hashUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { Judge } from "./judge.ts";
import { judge, SETTLE_MS, type Verdict } from "./verdict.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const unit: UnitInfo = {
  name: "a.service",
  options,
  desiredState: "launched",
  currentState: "launched",
  machineID: "m",
  hasEnded: false,
};
const running: StateInfo = {
  name: "a.service",
  hash: hashUnitFile(options),
  machineID: "m",
  load: "loaded",
  active: "active",
  sub: "running",
  error: null,
  current: "launched",
  run: null,
};
const ended: StateInfo = { ...running, active: "inactive", sub: "dead" };
const failed: StateInfo = { ...running, active: "failed", sub: "failed" };
const retrying: StateInfo = { ...running, active: "activating", sub: "auto-restart" };
const activating: StateInfo = { ...running, active: "activating", sub: "start-pre" };
const exited = { result: "exit-code", exitStatus: 3, exitSignal: null, restarts: 0 };
const launch = { state: "launched", systemd: "up" } as const;
const load = { state: "loaded", systemd: "any" } as const;
const stop = { state: "loaded", systemd: "stopped" } as const;

const loadedSince = { hasEnded: true, currentState: "loaded" } as const;
const there: Verdict = { kind: "there" };
const onItsWay: Verdict = { kind: "on-its-way" };
const trouble = (why: string) => ({ kind: "in-trouble", why }) as const;
const settling = (sign: keyof typeof SETTLE_MS, why: string | null): Verdict => ({
  kind: "settling",
  sign,
  becomes: why === null ? there : trouble(why),
});
const more = 'see "fleetctl status a.service" and "fleetctl journal a.service"';

describe("a unit that is waited for until it is active", () => {
  it.each([
    ["is there when systemd says that it is active", unit, running, there],
    ["is there while it reloads", unit, { ...running, active: "reloading" }, there],
    ["is on its way while it is only loaded", { ...unit, currentState: "loaded" as const }, running, onItsWay],
    ["is on its way while its machine says nothing of it", unit, undefined, onItsWay],
    ["is on its way while its machine reports the version before", unit, { ...running, hash: "0" }, onItsWay],
    ["is there when it has ended and is only loaded since", { ...unit, ...loadedSince }, ended, there],
    ["is on its way while it activates", unit, activating, onItsWay],
    ["may have ended when nothing of it runs", unit, ended, settling("at-rest", null)],
    ["may have failed when systemd says so", unit, failed, settling("failed", `failed: ${more}`)],
    [
      "has systemd's reason told when it has failed",
      unit,
      { ...failed, run: exited },
      settling("failed", `failed: exit status 3 (exit-code): ${more}`),
    ],
    [
      "has its machine's error told beside systemd's reason",
      unit,
      { ...failed, run: exited, error: "the job failed" },
      settling("failed", "failed: exit status 3 (exit-code): the job failed"),
    ],
    ["may come up while systemd retries", unit, retrying, settling("retrying", `keeps failing: ${more}`)],
    [
      "is in trouble at once in a crash loop",
      unit,
      { ...retrying, run: { ...exited, restarts: 7 } },
      trouble(`keeps failing: exit status 3 (exit-code), after 7 restarts: ${more}`),
    ],
    [
      "may come up at a further try of a crash loop",
      unit,
      { ...activating, run: { ...exited, result: "success", restarts: 7 } },
      settling("retrying", `keeps failing, after 7 restarts: ${more}`),
    ],
    [
      "is in trouble when systemd can't read its file",
      unit,
      { ...ended, load: "bad-setting" },
      trouble("can't run: its load state is bad-setting"),
    ],
    [
      "may come up though its machine could not do what was wanted",
      { ...unit, currentState: "inactive" as const },
      { ...running, error: "no space" },
      settling("error", "could not be launched: no space"),
    ],
    [
      "is on its way when the error is of the version before",
      { ...unit, currentState: "inactive" as const },
      { ...running, hash: "0", error: "no space" },
      onItsWay,
    ],
    ["is in trouble when it is gone", undefined, undefined, trouble("was destroyed meanwhile")],
  ])("%s", (_name, one, state, verdict) => {
    expect(judge(one, state, launch)).toEqual(verdict);
  });
});

describe("a copy of a global unit", () => {
  const global: UnitInfo = { ...unit, currentState: null, machineID: null };
  it.each([
    ["is there when systemd says that it is active", running, launch, there],
    ["is on its way while its machine has not started it", { ...ended, current: "loaded" as const }, launch, onItsWay],
    ["may have ended when nothing of it runs", ended, launch, settling("at-rest", null)],
    [
      "is given longer where nobody says how far it is",
      { ...ended, current: null },
      launch,
      settling("at-rest-untold", null),
    ],
    [
      "is on its way while it deactivates",
      { ...running, active: "deactivating", current: "loaded" as const },
      stop,
      onItsWay,
    ],
    ["has stopped when nothing of it runs", { ...ended, current: "loaded" as const }, stop, there],
    ["has not stopped before its machine was told", ended, stop, onItsWay],
  ])("%s", (_name, state, goal, verdict) => {
    expect(judge(global, state, goal)).toEqual(verdict);
  });
});

describe("a unit that is waited for until it is stopped", () => {
  const stopped: UnitInfo = { ...unit, currentState: "loaded" };
  const nowhere: UnitInfo = { ...unit, currentState: "inactive", machineID: null };
  it.each([
    ["has stopped when nothing of it runs", stopped, ended, there],
    ["has stopped when it has failed", stopped, failed, there],
    ["is on its way while it deactivates", stopped, { ...running, active: "deactivating" }, onItsWay],
    ["has not stopped before its machine was told", unit, ended, onItsWay],
    [
      "may be started by something else",
      stopped,
      running,
      settling("running", "is still running: something else starts it (active, running)"),
    ],
    ["has nothing to stop on no machine", nowhere, undefined, there],
    ["is on its way while its last machine has it", nowhere, running, onItsWay],
  ])("%s", (_name, one, state, verdict) => {
    expect(judge(one, state, stop)).toEqual(verdict);
  });
});

it("a unit that is waited for until it is loaded is there when fleet says so, whatever systemd says", () => {
  expect(judge({ ...unit, currentState: "loaded" }, undefined, load)).toEqual(there);
  expect(judge({ ...unit, currentState: "inactive" }, running, load)).toEqual(onItsWay);
});

describe("a sign that may pass", () => {
  const error: StateInfo = { ...ended, current: "loaded", error: "a dependency failed" };
  const loaded: UnitInfo = { ...unit, currentState: "loaded" };
  it("counts once it has stayed", () => {
    const judged = new Judge(launch);
    expect(judged.nextMs(0)).toBe(Number.POSITIVE_INFINITY);
    expect(judged.judge("a.service", loaded, error, 0).kind).toBe("settling");
    expect(judged.nextMs(500)).toBe(SETTLE_MS.error - 500);
    expect(judged.judge("a.service", loaded, error, SETTLE_MS.error - 1).kind).toBe("settling");
    expect(judged.judge("a.service", loaded, error, SETTLE_MS.error)).toEqual(
      trouble("could not be launched: a dependency failed"),
    );
    expect(judged.nextMs(0)).toBe(Number.POSITIVE_INFINITY);
  });
  it("does not count where it has passed", () => {
    const judged = new Judge(launch);
    judged.judge("a.service", loaded, error, 0);
    judged.judge("a.service", unit, activating, 300);
    expect(judged.judge("a.service", loaded, error, SETTLE_MS.error).kind).toBe("settling");
    expect(judged.judge("a.service", unit, running, SETTLE_MS.error + 300)).toEqual(there);
  });
  it("outlasts the tries in between of a unit that keeps failing", () => {
    const judged = new Judge(launch);
    judged.judge("a.service", unit, retrying, 0);
    judged.judge("a.service", unit, activating, 1_000);
    judged.judge("a.service", unit, retrying, 2_000);
    expect(judged.judge("a.service", unit, retrying, SETTLE_MS.retrying).kind).toBe("in-trouble");
  });
  it("counts anew when it is forgotten, and for each unit by itself", () => {
    const judged = new Judge(launch);
    judged.judge("a.service", unit, ended, 0);
    judged.judge("b.service", unit, ended, 1_000);
    judged.forget("a.service");
    expect(judged.judge("a.service", unit, ended, 1_500).kind).toBe("settling");
    expect(judged.judge("b.service", unit, ended, 1_500).kind).toBe("settling");
    expect(judged.judge("b.service", unit, ended, 2_500)).toEqual(there);
  });
});
