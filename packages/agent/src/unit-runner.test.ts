import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hashText } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { FakeSystemd } from "../../../testbed/fake-systemd.ts";
import { FakeSystemdHost } from "../../../testbed/fake-systemd-host.ts";
import { temporaryFolder } from "../../../testbed/temporary-folder.ts";
import { UnitDirectory } from "./machine/unit-directory.ts";
import type { WantedUnit } from "./model/next-task.ts";
import { UnitRunner } from "./unit-runner.ts";

const clock = fakeClock();
const folder = temporaryFolder();

const TEXT = "[Service]\nExecStart=/bin/a\n";
const HASH = hashText(TEXT);
const ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/a\n";
const ONESHOT_HASH = hashText(ONESHOT);

function runner(host = new FakeSystemdHost()): {
  systemd: FakeSystemd;
  runner: UnitRunner;
  settle: (wanted: WantedUnit[]) => Promise<void>;
  watchdog: { isArmed: boolean; trouble: string | null; isOurs: boolean; noteTakenBack: Promise<void> };
} {
  const watchdog = { isArmed: true, trouble: null as string | null, isOurs: true, noteTakenBack: Promise.resolve() };
  const systemd = new FakeSystemd(host);
  const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
  const made = new UnitRunner({
    directory: new UnitDirectory(join(folder(), "units")),
    log,
    text: (hash) => ({ [HASH]: TEXT, [ONESHOT_HASH]: ONESHOT })[hash],
    onTouched: () => undefined,
    onProgress: () => undefined,
    failpoint: () => undefined,
    takeBackEnded: () => watchdog.noteTakenBack,
    isWatchdogArmed: () => watchdog.isArmed,
    watchdogTrouble: () => watchdog.trouble,
    isUnknown: () => false,
    isStillOurs: async () => watchdog.isOurs,
  });
  const settle = async (units: WantedUnit[]): Promise<void> => {
    const map = new Map(units.map((unit) => [unit.name, unit]));
    for (let quiet = 0; quiet < 3; quiet++) {
      if (await made.step(systemd, map, new Set())) quiet = 0;
      await clock.pass(0);
    }
  };
  return { systemd, runner: made, settle, watchdog };
}
const unit = (n: string, desiredState: WantedUnit["desiredState"] = "launched"): WantedUnit => ({
  name: n,
  hash: HASH,
  desiredState,
  stopsOnPartition: false,
});

describe("running units", () => {
  it("loads and starts what is wanted, and nothing twice", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    await settle([unit("a.service"), unit("b.service", "loaded")]);
    await settle([unit("a.service"), unit("b.service", "loaded")]);
    expect(systemd.calls).toEqual(["load a.service", "load b.service", "start a.service"]);
    expect(readdirSync(join(folder(), "units")).filter((file) => !file.startsWith("."))).toEqual([
      "a.service",
      "b.service",
    ]);
  });
  it("adopts after a restart what runs, and does nothing to what is as wanted", async () => {
    const first = runner();
    first.runner.adopt();
    await first.settle([unit("a.service"), unit("b.service", "loaded")]);
    const second = runner(first.systemd.host);
    second.runner.adopt();
    await second.settle([unit("a.service"), unit("b.service", "loaded")]);
    expect(second.systemd.calls).toEqual([]);
    await second.settle([]);
    expect(second.systemd.calls).toEqual(["stop a.service", "stop b.service", "unload a.service", "unload b.service"]);
  });
  it("takes away whole a unit that systemd may have loaded, though it never answered", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.loseAnswers("load");
    await settle([unit("a.service")]);
    systemd.loseAnswers("load", false);
    await settle([]);
    expect(systemd.calls).toEqual(["load a.service", "stop a.service", "unload a.service"]);
    expect(readdirSync(join(folder(), "units"))).not.toContain("a.service");
  });
  it.each(["dependency", "assert", "failed"])(
    "a start whose job ends with %s is told, and tried again until it works",
    async (result) => {
      const { systemd, runner: made, settle } = runner();
      made.adopt();
      systemd.host.failJobs("a.service", result);
      await settle([unit("a.service"), unit("good.service")]);
      const told = { current: "loaded", error: expect.stringContaining(`(job result ${result})`) };
      expect(made.stateOf("a.service", { load: "loaded", active: "inactive", sub: "dead" })).toMatchObject(told);
      expect(made.stateOf("good.service", undefined)).toMatchObject({ current: "launched", error: null });
      const pauses: number[] = [];
      for (let tries = 0; tries < 3; tries++) {
        pauses.push((made.nextRetryAt ?? 0) - performance.now());
        await clock.pass(Math.ceil(pauses.at(-1) ?? 0));
        await settle([unit("a.service"), unit("good.service")]);
      }
      expect(pauses[0]).toBeLessThan(1_000);
      expect(pauses[2]).toBeGreaterThan(400);
      systemd.host.failJobs("a.service", null);
      await clock.pass(Math.ceil((made.nextRetryAt ?? 0) - performance.now()));
      await settle([unit("a.service"), unit("good.service")]);
      expect(made.stateOf("a.service", undefined)).toMatchObject({ current: "launched", error: null });
      expect(systemd.calls.filter((call) => call === "start a.service")).toHaveLength(5);
    },
  );
  describe("a start that is under way while the agent is restarted or the connection is lost", () => {
    const down = { load: "loaded", active: "inactive", sub: "dead" };
    const told = { current: "loaded", error: expect.stringContaining("(job result dependency)") };

    it("is followed by the next agent: what it comes to is the unit's error, and it is tried again", async () => {
      const first = runner();
      first.runner.adopt();
      first.systemd.host.hold("start", "a.service");
      await first.settle([unit("a.service"), unit("b.service")]);
      first.systemd.close();
      const { systemd, runner: made, settle } = runner(first.systemd.host);
      made.adopt();
      await made.resume(systemd);
      await settle([unit("a.service"), unit("b.service")]);
      expect(made.stateOf("a.service", down)).toMatchObject({ current: "launched", systemd: { active: "activating" } });
      systemd.host.failJobs("a.service", "dependency");
      systemd.host.release("start", "a.service");
      await settle([unit("a.service"), unit("b.service")]);
      expect(made.stateOf("a.service", down)).toMatchObject(told);
      systemd.host.failJobs("a.service", null);
      await clock.pass(Math.ceil((made.nextRetryAt ?? 0) - performance.now()));
      await settle([unit("a.service"), unit("b.service")]);
      expect(made.stateOf("a.service", undefined)).toMatchObject({ current: "launched", error: null });
      expect(systemd.calls).toEqual(["start a.service"]);
    });
    it("is followed on the next connection of the same agent", async () => {
      const { systemd, runner: made, settle } = runner();
      made.adopt();
      systemd.host.hold("start", "a.service");
      await settle([unit("a.service")]);
      systemd.close();
      await clock.pass(0);
      const next = new FakeSystemd(systemd.host);
      await made.resume(next);
      systemd.host.failJobs("a.service", "dependency");
      systemd.host.release("start", "a.service");
      await clock.pass(0);
      expect(made.stateOf("a.service", down)).toMatchObject(told);
    });
    it("and that ended meanwhile, with the unit down, is done again", async () => {
      const first = runner();
      first.runner.adopt();
      first.systemd.host.hold("start", "a.service");
      await first.settle([unit("a.service"), unit("b.service")]);
      first.systemd.close();
      await clock.pass(0);
      first.systemd.host.failJobs("a.service", "dependency");
      first.systemd.host.release("start", "a.service");
      await clock.pass(0);
      const { systemd, runner: made, settle } = runner(first.systemd.host);
      made.adopt();
      await made.resume(systemd);
      await settle([unit("a.service"), unit("b.service")]);
      expect(made.stateOf("a.service", down)).toMatchObject(told);
      expect(systemd.calls).toEqual(["start a.service"]);
    });
    it("of a oneshot that is down is not done again: it says that it may have run, and does not count as done", async () => {
      const first = runner();
      first.runner.adopt();
      first.systemd.host.behave("once.service", { runs: "to its end" });
      first.systemd.host.hold("start", "once.service");
      await first.settle([{ ...unit("once.service"), hash: ONESHOT_HASH }]);
      first.systemd.close();
      await clock.pass(0);
      first.systemd.host.release("start", "once.service");
      await clock.pass(0);
      const { systemd, runner: made, settle } = runner(first.systemd.host);
      made.adopt();
      await made.resume(systemd);
      await settle([{ ...unit("once.service"), hash: ONESHOT_HASH }]);
      expect(systemd.calls).toEqual([]);
      const error = expect.stringContaining("whether it ran is not known");
      expect(made.stateOf("once.service", down)).toMatchObject({ current: "launched", error });
      expect(made.launches.mayHaveEnded("once.service")).toBe(false);
      await settle([{ ...unit("once.service", "loaded"), hash: ONESHOT_HASH }]);
      expect(made.stateOf("once.service", down)).toMatchObject({ current: "loaded", error: null });
    });
  });
  it("a unit whose start has failed, as systemd says, is not started again and again", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.host.behave("a.service", { runs: "to a failure" });
    await settle([unit("a.service")]);
    await clock.pass(60_000);
    await settle([unit("a.service")]);
    expect(systemd.calls).toEqual(["load a.service", "start a.service"]);
    expect(made.nextRetryAt).toBeNull();
  });
  it("a unit is on its way until it was looked at what came of its start, and a stop ends that", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.host.hold("start", "a.service");
    await settle([unit("a.service")]);
    const down = { load: "loaded", active: "inactive", sub: "dead" };
    expect(made.stateOf("a.service", down)?.systemd).toMatchObject({ active: "activating" });
    await settle([unit("a.service", "loaded")]);
    expect(made.stateOf("a.service", down)).toMatchObject({ current: "loaded", systemd: down, error: null });
  });
  it("a unit whose name is a file of the host's own is neither loaded nor started, and its error says whose it is", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.host.ownFile("a.service", "/etc/systemd/system/a.service");
    await settle([unit("a.service")]);
    const error = expect.stringContaining("a.service on this machine comes from /etc/systemd/system/a.service");
    expect(made.stateOf("a.service", undefined)).toMatchObject({ current: "inactive", error });
    await settle([]);
    expect(systemd.calls).toEqual(["load a.service"]);
    expect(made.stateOf("a.service", undefined)).toBeNull();
  });
  it("units that systemd stopped along with another come up again with it, unless they are not wanted", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    for (const name of ["side.service", "other.service", "hand.service"])
      systemd.host.behave(name, { runs: "for ever", bindsTo: "main.service" });
    const sides = [unit("side.service"), unit("hand.service")];
    await settle([unit("main.service"), ...sides, unit("other.service")]);
    await systemd.host.stop("hand.service");
    await settle([unit("main.service", "loaded"), ...sides, unit("other.service", "loaded")]);
    expect(systemd.host.states("side.service").active).toBe("inactive");
    systemd.calls.length = 0;
    await settle([unit("main.service"), ...sides, unit("other.service", "loaded")]);
    expect(systemd.calls).toEqual(["start main.service", "start side.service"]);
    expect(systemd.host.states("side.service").active).toBe("active");
  });
  it("those that follow a follower come up again, too, and all of them also where the agent is restarted in between", async () => {
    const first = runner();
    first.runner.adopt();
    first.systemd.host.behave("side.service", { runs: "for ever", bindsTo: "main.service" });
    first.systemd.host.behave("third.service", { runs: "for ever", bindsTo: "side.service" });
    const sides = [unit("side.service"), unit("third.service")];
    await first.settle([unit("main.service"), ...sides]);
    first.systemd.host.hold("stop", "main.service");
    await first.settle([unit("main.service", "loaded"), ...sides]);
    first.systemd.close();
    await clock.pass(0);
    const second = runner(first.systemd.host);
    second.runner.adopt();
    await second.runner.resume(second.systemd);
    await second.settle([unit("main.service", "loaded"), ...sides]);
    second.systemd.host.release("stop", "main.service");
    await second.settle([unit("main.service", "loaded"), ...sides]);
    expect(second.systemd.host.states("third.service").active).toBe("inactive");
    const third = runner(first.systemd.host);
    third.runner.adopt();
    await third.runner.resume(third.systemd);
    await third.settle([unit("main.service"), ...sides]);
    expect(third.systemd.calls).toEqual(["start main.service", "start side.service", "start third.service"]);
    await third.settle([unit("main.service"), ...sides]);
    expect(third.systemd.calls).toHaveLength(3);
  });
  it("a unit that was stopped along is not brought back once something else was done with it", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.host.behave("side.service", { runs: "for ever", bindsTo: "main.service" });
    await settle([unit("main.service"), unit("side.service")]);
    await settle([unit("main.service", "loaded"), unit("side.service")]);
    // Gone, here again, and then stopped by hand: not by the stop of the other one.
    await settle([unit("main.service", "loaded")]);
    await settle([unit("main.service", "loaded"), unit("side.service")]);
    await systemd.host.stop("side.service");
    systemd.calls.length = 0;
    await settle([unit("main.service"), unit("side.service")]);
    expect(systemd.calls).toEqual(["start main.service"]);
  });
  it("a unit that fails stops no other, keeps its error, and waits longer each time", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.refuse("load bad.service");
    await settle([unit("bad.service"), unit("good.service")]);
    expect(systemd.calls).toContain("start good.service");
    expect(made.stateOf("bad.service", undefined)).toMatchObject({ current: "inactive", error: "refused" });
    const retryIn = (made.nextRetryAt ?? 0) - performance.now();
    await clock.pass(Math.ceil(retryIn));
    await settle([unit("bad.service"), unit("good.service")]);
    expect(systemd.calls.filter((call) => call === "load bad.service")).toHaveLength(2);
    expect(made.snapshot()).toMatchObject({ troubles: [{ name: "bad.service", failures: 2 }] });
  });
  it("forgets an error as soon as something else is wanted, and does not come back for it", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    systemd.refuse("start a.service");
    await settle([unit("a.service")]);
    expect(made.stateOf("a.service", undefined)?.error).toBe("refused");
    await settle([unit("a.service", "loaded")]);
    expect(made.stateOf("a.service", undefined)?.error).toBeNull();
    expect(made.nextRetryAt).toBeNull();
  });
  it("a stop that hangs holds up no other, and keeps the unit's file until it is over", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    await settle([unit("slow.service")]);
    systemd.host.hold("stop", "slow.service");
    await settle([unit("quick.service")]);
    expect(systemd.calls).toContain("start quick.service");
    expect(systemd.calls).not.toContain("unload slow.service");
    expect(readdirSync(join(folder(), "units"))).toContain("slow.service");
    systemd.host.release("stop", "slow.service");
    await clock.pass(0);
    await settle([unit("quick.service")]);
    expect(systemd.calls).toContain("unload slow.service");
    expect(readdirSync(join(folder(), "units"))).not.toContain("slow.service");
  });
  it("a unit that can't be stopped keeps its file", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    await settle([unit("a.service")]);
    systemd.refuse("stop a.service");
    await settle([]);
    expect(systemd.calls).not.toContain("unload a.service");
    expect(readdirSync(join(folder(), "units"))).toContain("a.service");
  });
  it("loads anew what systemd does not find, once in a while, and nothing that was started", async () => {
    const before = new UnitDirectory(join(folder(), "units"));
    before.read();
    // As after a crash between writing a file and linking it.
    before.write("a.service", TEXT);
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    const missing = new Map(
      ["a.service", "b.service"].map((n) => [n, { load: "not-found", active: "inactive", sub: "dead" }]),
    );
    await settle([unit("a.service", "loaded"), unit("b.service")]);
    systemd.calls.length = 0;
    expect(made.noticeMissing(missing)).toBe(true);
    expect(made.stateOf("a.service", missing.get("a.service"))).toMatchObject({ hash: HASH, current: "inactive" });
    await settle([unit("a.service", "loaded"), unit("b.service")]);
    expect(systemd.calls).toEqual(["unload a.service", "load a.service"]);
    expect(made.stateOf("a.service", missing.get("a.service"))).toMatchObject({ hash: HASH, current: "loaded" });
    expect(made.noticeMissing(missing)).toBe(false);
  });
  it("loads anew what systemd does not find when it is to be started, and tells of what fails for another reason", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    const names = ["a.service", "b.service"];
    await settle(names.map((name) => unit(name, "loaded")));
    systemd.calls.length = 0;
    systemd.host.removeLinks("a.service");
    systemd.refuse("start b.service");
    await settle(names.map((name) => unit(name)));
    const calls = ["start a.service", "start b.service", "unload a.service", "load a.service", "start a.service"];
    expect(systemd.calls).toEqual(calls);
    expect(made.stateOf("a.service", undefined)).toMatchObject({ current: "launched", error: null });
    expect(made.stateOf("b.service", undefined)).toMatchObject({ current: "loaded", error: "refused" });
  });
  it("leaves alone what is not clear", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    await settle([unit("a.service")]);
    systemd.calls.length = 0;
    await made.step(systemd, new Map(), new Set(["a.service"]));
    expect(systemd.calls).toEqual([]);
  });
});

describe("units that must not outlive the machine's lease", () => {
  const stopped = { ...unit("f.service"), stopsOnPartition: true };
  const marked = (): string => join(folder(), "units", ".fenced");
  const marks = (): string[] => (existsSync(marked()) ? readdirSync(marked()) : []);

  it("are started only where something will stop them, and are marked for it before", async () => {
    const { systemd, runner: made, settle, watchdog } = runner();
    made.adopt();
    watchdog.isArmed = false;
    await settle([stopped, unit("a.service")]);
    expect([systemd.calls, marks()]).toEqual([["load a.service", "start a.service"], []]);
    watchdog.isArmed = true;
    await settle([stopped, unit("a.service")]);
    expect(systemd.calls.slice(-2)).toEqual(["load f.service", "start f.service"]);
    expect(marks()).toEqual(["f.service"]);
    expect(new UnitDirectory(join(folder(), "units")).hasStopsOnPartition).toBe(true);
    await settle([unit("a.service")]);
    expect(systemd.calls.slice(-2)).toEqual(["stop f.service", "unload f.service"]);
    expect(marks()).toEqual([]);
    expect(new UnitDirectory(join(folder(), "units")).hasStopsOnPartition).toBe(false);
  });
  it("are marked from the time that they are there, also where they are only loaded, and until they are gone", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    const loaded = { ...stopped, desiredState: "loaded" } as const;
    await settle([loaded]);
    expect([systemd.calls, marks()]).toEqual([["load f.service"], ["f.service"]]);
    await settle([stopped]);
    await settle([loaded]);
    expect([systemd.calls.at(-1), marks()]).toEqual(["stop f.service", ["f.service"]]);
    // An agent before this one has left it out.
    rmSync(join(folder(), "units", ".fenced", "f.service"));
    const next = runner(systemd.host);
    next.runner.adopt();
    await next.settle([loaded]);
    expect(marks()).toEqual(["f.service"]);
    await next.settle([{ ...loaded, stopsOnPartition: false, hash: ONESHOT_HASH }]);
    expect(marks()).toEqual([]);
  });
  it("are loaded and marked, and not started, where no watchdog can be had: they say so, and are stopped by their marks", async () => {
    const { systemd, runner: made, settle, watchdog } = runner();
    made.adopt();
    watchdog.isArmed = false;
    watchdog.trouble = "waits for a watchdog";
    await settle([stopped]);
    expect([systemd.calls, marks()]).toEqual([["load f.service"], ["f.service"]]);
    expect(made.stateOf("f.service", undefined)).toMatchObject({ current: "loaded", error: "waits for a watchdog" });
  });
  it("are not marked while it is not known that the name is free: the host may have a unit of its own of that name", async () => {
    const { systemd, runner: made, settle } = runner();
    made.adopt();
    await settle([{ ...stopped, desiredState: "loaded" }]);
    await settle([]);
    systemd.refuse("load f.service");
    await settle([stopped]);
    expect([made.stateOf("f.service", undefined)?.error, marks()]).toEqual(["refused", []]);
  });
  it("are not started where the deadline went by while etcd was asked for something", async () => {
    const { systemd, runner: made, settle, watchdog } = runner();
    made.adopt();
    const { promise, resolve } = Promise.withResolvers<void>();
    watchdog.noteTakenBack = promise;
    await settle([stopped]);
    watchdog.isArmed = false;
    resolve();
    await settle([stopped]);
    expect(systemd.calls).toEqual(["load f.service"]);
  });
  it("are started again after the watchdog has stopped them, unless etcd has them elsewhere by now", async () => {
    const { systemd, runner: made, settle, watchdog } = runner();
    made.adopt();
    await settle([stopped]);
    rmSync(join(folder(), "units", ".launched", "f.service")); // as the watchdog does
    watchdog.isOurs = false;
    made.noticeStoppedByWatchdog();
    systemd.calls.length = 0;
    await settle([stopped]);
    expect(systemd.calls).toEqual([]);
    watchdog.isOurs = true;
    const { systemd: next, runner: second, settle: settleSecond } = runner(systemd.host);
    await second.adopt();
    await settleSecond([stopped]);
    expect(next.calls).toEqual(["start f.service"]);
  });
});
