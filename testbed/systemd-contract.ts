import { type Install, type OwnService, type Systemd, SystemdError, type UnitToLoad } from "@fleet/agent";
import type { SystemdStates } from "@fleet/domain/unit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { UnitBehaviour } from "./fake-systemd-host.ts";

/** A systemd that the contract is tried on. */
export interface SystemdUnderContract {
  /** A new connection to it. */
  connect(): Promise<Systemd>;
  /** Writes the file of a unit that behaves so; returns its path as systemd knows it. */
  write(name: string, behaviour: UnitBehaviour, hasInstall: boolean): string;
  /** Where no unit's file is. */
  readonly noFile: string;
  /** Gives the host a unit file of its own by this name, and takes it away again; returns its path as systemd knows it. */
  putOwn(name: string): Promise<string>;
  removeOwn(name: string): Promise<void>;
  mask(name: string): Promise<void>;
  unmask(name: string): Promise<void>;
  /** What `systemctl is-enabled` says of a unit; null: it does not find it. */
  enablement(name: string): Promise<string | null>;
  /** Has systemd leave the bus and come back, as it does at `daemon-reexec`, or under too much load. */
  leaveBus(): Promise<void>;
  /** Has systemd read all unit files anew. */
  reload(): Promise<void>;
  /** Differs for each run of a unit. */
  invocation(name: string): Promise<string>;
  stop(): Promise<void>;
}

const UP: SystemdStates = { load: "loaded", active: "active", sub: "running" };
const LOADED: SystemdStates = { load: "loaded", active: "inactive", sub: "dead" };
const NOT_FOUND: SystemdStates = { load: "not-found", active: "inactive", sub: "dead" };
const LATE_MS = 300;
const BY_TARGET: Install = { isAlone: true, pulledInBy: [{ unit: "multi-user.target", by: "wants" }], aliases: [] };

let count = 0;

/** What every Systemd does: one suite, for the real one and for the fake. */
export function systemdContract(name: string, make: () => Promise<SystemdUnderContract>): void {
  describe(name, () => {
    let host: SystemdUnderContract;
    let systemd: Systemd;
    const made = new Set<string>();
    const changed: (string | null)[] = [];

    beforeAll(async () => {
      host = await make();
    });
    afterAll(() => host?.stop());
    beforeEach(async () => {
      changed.length = 0;
      systemd = await host.connect();
      systemd.onChanged((unit) => changed.push(unit));
    });
    afterEach(async () => {
      systemd.close();
      const last = await host.connect();
      await Promise.all([...made].map((unit) => last.stop(unit)));
      await last.unload([...made]);
      last.close();
      made.clear();
    });

    const unit = (
      behaviour: UnitBehaviour = { runs: "for ever" },
      hasInstall = false,
      unitName = `contract-${count++}.service`,
    ): UnitToLoad => {
      made.add(unitName);
      return {
        name: unitName,
        path: host.write(unitName, behaviour, hasInstall),
        install: hasInstall ? BY_TARGET : null,
      };
    };
    const loaded = async (...args: Parameters<typeof unit>): Promise<string> => {
      const asked = unit(...args);
      expect(await systemd.load([asked])).toEqual(new Map());
      return asked.name;
    };
    const started = async (...args: Parameters<typeof unit>): Promise<string> => {
      const unitName = await loaded(...args);
      await systemd.start(unitName);
      return unitName;
    };
    const stateOf = async (unitName: string): Promise<SystemdStates | undefined> =>
      (await systemd.states([unitName])).get(unitName);
    const becomes = (unitName: string, states: Partial<SystemdStates>): Promise<void> =>
      expect.poll(() => stateOf(unitName), { interval: 5, timeout: 10_000 }).toMatchObject(states);
    const isHeardOf = (unitName: string): Promise<void> =>
      expect
        .poll(() => changed.includes(unitName) || changed.includes(null), { interval: 5, timeout: 10_000 })
        .toBe(true);

    describe("loading", () => {
      it("makes a unit known, and not started, until the next boot", async () => {
        const plain = await loaded();
        expect(await stateOf(plain)).toEqual(LOADED);
        expect(await host.enablement(plain)).toBe("linked-runtime");
      });
      it("enables a unit that has an [Install] section", async () => {
        const enabled = await loaded({ runs: "for ever" }, true);
        expect(await stateOf(enabled)).toEqual(LOADED);
        expect(await host.enablement(enabled)).toBe("enabled-runtime");
      });
      it.each([false, true])("tells what it refused, and loads the others: enabling is %s", async (hasInstall) => {
        const good = [unit({ runs: "for ever" }, hasInstall), unit({ runs: "for ever" }, hasInstall)];
        const bad = { ...unit(), path: host.noFile, install: hasInstall ? BY_TARGET : null };
        const failed = await systemd.load([bad, ...good]);
        expect([...failed.keys()]).toEqual([bad.name]);
        expect(failed.get(bad.name)).toBeInstanceOf(SystemdError);
        expect(failed.get(bad.name)?.unavailable).toBe(false);
        for (const { name: unitName } of good) expect(await stateOf(unitName)).toEqual(LOADED);
        expect(await stateOf(bad.name)).toEqual(NOT_FOUND);
      });
      it("does nothing to a unit that is loaded already", async () => {
        const again = unit();
        await systemd.load([again]);
        await systemd.start(again.name);
        await becomes(again.name, UP);
        expect(await systemd.load([again])).toEqual(new Map());
        expect(await stateOf(again.name)).toEqual(UP);
      });
      it("makes a unit that has failed one that is only loaded", async () => {
        const failing = unit({ runs: "to a failure" });
        await systemd.load([failing]);
        await systemd.start(failing.name);
        await becomes(failing.name, { active: "failed" });
        expect(await systemd.load([failing])).toEqual(new Map());
        expect(await stateOf(failing.name)).toEqual(LOADED);
      });
    });

    describe("starting", () => {
      it("brings a unit up, which is heard of", async () => {
        const up = await started();
        await isHeardOf(up);
        await becomes(up, UP);
      });
      it("is accepted before the unit is up", async () => {
        const late = await started({ runs: "for ever", startMs: LATE_MS });
        expect(await stateOf(late)).toMatchObject({ load: "loaded", active: "activating" });
        await becomes(late, UP);
      });
      it("tells the result of its job, and how the unit has run where that is worth it", async () => {
        const [up, failing] = [await loaded(), await loaded({ runs: "to a failure", startMs: LATE_MS })];
        const jobs = [await systemd.start(up), await systemd.start(failing)];
        expect(await jobs[0]?.ended).toBe("done");
        await becomes(failing, { active: "failed" });
        const run = { result: "exit-code", exitStatus: 1, exitSignal: null, restarts: 0 };
        const names = [up, failing, "contract-nowhere.service"];
        expect(await systemd.runResults(names)).toEqual(new Map([[failing, run]]));
      });
      it("that a stop takes the place of is canceled", async () => {
        const late = await loaded({ runs: "for ever", startMs: 60_000 });
        const { ended } = await systemd.start(late);
        await systemd.stop(late);
        expect(await ended).toBe("canceled");
      });
      it("that is under way is told on another connection, with the result that it comes to", async () => {
        const [late, up, idle] = [
          await started({ runs: "for ever", startMs: LATE_MS }),
          await started(),
          await loaded(),
        ];
        await becomes(up, UP);
        systemd.close();
        systemd = await host.connect();
        const under = await systemd.startsUnderWay([late, up, idle, "contract-nowhere.service"]);
        expect([...under.keys()]).toEqual([late]);
        expect(await under.get(late)?.ended).toBe("done");
        expect(await systemd.startsUnderWay([late])).toEqual(new Map());
        expect(await systemd.startsUnderWay([])).toEqual(new Map());
      });
      it("that is under way and asked for again is the same start", async () => {
        const late = await loaded({ runs: "for ever", startMs: LATE_MS });
        const jobs = [await systemd.start(late), await systemd.start(late)];
        expect(await Promise.all(jobs.map(({ ended }) => ended))).toEqual(["done", "done"]);
      });
      it("does nothing to a unit that is up", async () => {
        const up = await started();
        await becomes(up, UP);
        await systemd.start(up);
        expect(await stateOf(up)).toEqual(UP);
      });
      it("is heard of when the unit fails, and when it ends", async () => {
        const failing = await started({ runs: "to a failure" });
        const ending = await started({ runs: "to its end" });
        await becomes(failing, { load: "loaded", active: "failed", sub: "failed" });
        await becomes(ending, LOADED);
        await isHeardOf(failing);
        await isHeardOf(ending);
      });
      it("starts a unit again that has failed", async () => {
        const failing = await started({ runs: "to a failure" });
        await becomes(failing, { active: "failed" });
        await systemd.start(failing);
        await becomes(failing, { active: "failed" });
      });
      it("is refused for a unit that is not known, for good", async () => {
        await expect(systemd.start("contract-nowhere.service")).rejects.toMatchObject({
          name: "SystemdError",
          unavailable: false,
        });
      });
      it("is refused for a unit of which the file makes no sense", async () => {
        const senseless = await loaded({ runs: "not at all" });
        expect(await stateOf(senseless)).toEqual({ ...LOADED, load: "bad-setting" });
        await expect(systemd.start(senseless)).rejects.toMatchObject({ name: "SystemdError", unavailable: false });
      });
      it("of many at a time brings all of them up, and each is heard of", async () => {
        const many = Array.from({ length: 20 }, () => unit());
        await systemd.load(many);
        await Promise.all(many.map(({ name: each }) => systemd.start(each)));
        for (const { name: each } of many) await becomes(each, UP);
        for (const { name: each } of many) await isHeardOf(each);
      });
    });

    describe("stopping", () => {
      it("is over when the unit is at rest", async () => {
        const slow = await started({ runs: "for ever", stopMs: LATE_MS });
        await becomes(slow, UP);
        const stopping = systemd.stop(slow);
        await becomes(slow, { active: "deactivating" });
        await stopping;
        expect(await stateOf(slow)).toEqual(LOADED);
        await isHeardOf(slow);
      });
      it("is over at once where there is nothing to stop", async () => {
        const idle = await loaded();
        await systemd.stop(idle);
        await systemd.stop("contract-nowhere.service");
        expect(await stateOf(idle)).toEqual(LOADED);
      });
      it("takes the place of a start that is under way", async () => {
        const late = await started({ runs: "for ever", startMs: 60_000 });
        await becomes(late, { active: "activating" });
        await systemd.stop(late);
        expect(await stateOf(late)).toMatchObject({ load: "loaded", active: expect.stringMatching(/inactive|failed/) });
      });
      it("tells which other units were stopped along with it", async () => {
        const main = await started();
        const bound = await started({ runs: "for ever", bindsTo: main });
        const next = await started({ runs: "for ever", bindsTo: bound });
        const idle = await loaded({ runs: "for ever", bindsTo: main });
        for (const each of [main, bound, next]) await becomes(each, UP);
        let before: readonly string[] = [];
        const stopped = await systemd.stop(main, (names) => {
          before = names;
        });
        expect([before, stopped]).toEqual([
          [bound, next],
          [bound, next],
        ]);
        for (const each of [main, bound, next, idle]) expect((await stateOf(each))?.active).toBe("inactive");
        expect(await systemd.stop(main)).toEqual([]);
      });
      it("of several at a time ends each", async () => {
        const units = [await started(), await started(), await started()];
        await Promise.all(units.map((each) => systemd.stop(each)));
        for (const each of units) expect(await stateOf(each)).toEqual(LOADED);
      });
    });

    describe("unloading", () => {
      it("has systemd forget a unit, its enablement, and that it has failed", async () => {
        const names = [
          await loaded(),
          await loaded({ runs: "for ever" }, true),
          await started({ runs: "to a failure" }),
        ] as const;
        await becomes(names[2], { active: "failed" });
        expect(await systemd.unload(names)).toEqual(new Map());
        for (const each of names) {
          await becomes(each, NOT_FOUND);
          expect(await host.enablement(each)).toBeNull();
        }
      });
      it("is refused for a unit that is up, and done for the others", async () => {
        const up = await started();
        await becomes(up, UP);
        const idle = await loaded();
        const failed = await systemd.unload([up, idle]);
        expect([...failed.keys()]).toEqual([up]);
        expect(await stateOf(up)).toEqual(UP);
        await becomes(idle, NOT_FOUND);
      });
      it("of a unit that another one refers to has systemd forget it too: the other does not bring it up again", async () => {
        const pulled = await started();
        const puller = await started({ runs: "for ever", wants: pulled });
        await becomes(puller, UP);
        await systemd.stop(pulled);
        expect(await systemd.unload([pulled])).toEqual(new Map());
        expect(await stateOf(pulled)).toEqual(NOT_FOUND);
        await systemd.stop(puller);
        const { ended } = await systemd.start(puller);
        expect(await ended).toBe("done");
        expect(await stateOf(pulled)).toEqual(NOT_FOUND);
      });
      it("of a unit that refuses to be stopped by hand is done where it is down", async () => {
        const refusing = await loaded({ runs: "for ever", refusesStop: true });
        await systemd.stop(refusing);
        expect(await systemd.unload([refusing])).toEqual(new Map());
        await becomes(refusing, NOT_FOUND);
      });
      it("of what is not there is no failure", async () => {
        expect(await systemd.unload(["contract-nowhere.service"])).toEqual(new Map());
        expect(await systemd.unload([])).toEqual(new Map());
      });
      it("makes room for another text under the name", async () => {
        const up = await started();
        await becomes(up, UP);
        await systemd.stop(up);
        await systemd.unload([up]);
        const path = host.write(up, { runs: "to a failure" }, false);
        await systemd.load([{ name: up, path, install: null }]);
        await systemd.start(up);
        await becomes(up, { active: "failed" });
      });
    });

    describe("a name that stands for a file of the host's own", () => {
      it("is not loaded, not started, not stopped and not unloaded: the error says whose it is", async () => {
        const asked = unit();
        const path = await host.putOwn(asked.name);
        try {
          const failed = await systemd.load([asked, unit()]);
          expect([...failed]).toMatchObject([[asked.name, { name: "ForeignUnitError", unavailable: false }]]);
          expect(failed.get(asked.name)?.message).toContain(`${asked.name} on this machine comes from ${path}`);
          await expect(systemd.start(asked.name)).rejects.toThrow(path);
          await systemd.stop(asked.name);
          expect(await systemd.unload([asked.name])).toEqual(new Map());
        } finally {
          await host.removeOwn(asked.name);
        }
        expect(await systemd.load([asked])).toEqual(new Map());
      });
      it("is left as it is, too, where it came after fleet's", async () => {
        const up = await started();
        await becomes(up, UP);
        await host.putOwn(up);
        try {
          await systemd.stop(up);
          expect(await systemd.unload([up])).toEqual(new Map());
          expect((await stateOf(up))?.active).toBe("active");
        } finally {
          await host.removeOwn(up);
        }
        await systemd.stop(up);
      });
    });

    describe("a unit that somebody has masked", () => {
      it("is not started, can be unloaded, and stays masked", async () => {
        const masked = await loaded();
        await host.mask(masked);
        try {
          await expect(systemd.start(masked)).rejects.toMatchObject({ name: "SystemdError", unavailable: false });
          expect(await systemd.unload([masked])).toEqual(new Map());
          expect(await stateOf(masked)).toEqual({ ...LOADED, load: "masked" });
        } finally {
          await host.unmask(masked);
        }
        await becomes(masked, NOT_FOUND);
      });
    });

    describe("states", () => {
      it("are told of each unit that was asked for, and of no other", async () => {
        const [up, idle, other] = [await started(), await loaded(), await loaded()];
        await becomes(up, UP);
        const states = await systemd.states([up, idle, "contract-nowhere.service"]);
        expect(states).toEqual(
          new Map([
            [up, UP],
            [idle, LOADED],
            ["contract-nowhere.service", NOT_FOUND],
          ]),
        );
        expect(states.has(other)).toBe(false);
        expect(await systemd.states([])).toEqual(new Map());
      });
    });

    describe("a service of fleet's own", () => {
      const own = (...command: string[]): OwnService => {
        const service = `contract-${count++}.service`;
        made.add(service.replace("service", "timer")).add(service);
        return { name: service, description: "a test's", command };
      };
      it("is started once, and outlives the connection", async () => {
        const service = own("/bin/sleep", "infinity");
        await systemd.ensureService(service);
        await becomes(service.name, UP);
        systemd.close();
        systemd = await host.connect();
        const before = await host.invocation(service.name);
        await systemd.ensureService(service);
        expect(await stateOf(service.name)).toEqual(UP);
        expect(await host.invocation(service.name)).toBe(before);
      });
      it("is the same one after systemd has read all files anew, also once it was killed", async () => {
        const service = own("/bin/sleep", "--", "1000.5s", "1m");
        await systemd.ensureService(service);
        await becomes(service.name, UP);
        await host.reload();
        const before = await host.invocation(service.name);
        await systemd.ensureService(service);
        expect(await host.invocation(service.name)).toBe(before);
        await systemd.kill([service.name]);
        await expect.poll(() => host.invocation(service.name)).not.toBe(before);
        await becomes(service.name, UP);
        await systemd.ensureService(service);
        expect(await stateOf(service.name)).toEqual(UP);
      });
      it("is made anew where it was stopped, and where it runs another command", async () => {
        const service = own("/bin/sleep", "infinity");
        await systemd.ensureService(service);
        await becomes(service.name, UP);
        await systemd.stop(service.name);
        await systemd.ensureService(service);
        await becomes(service.name, UP);
        const newer = { ...service, command: ["/bin/sleep", "1h"] };
        await systemd.ensureService(newer);
        await becomes(service.name, UP);
      });
      it("is not taken for one where the name is a file of the host's own", async () => {
        const service = own("/bin/sleep", "infinity");
        const path = await host.putOwn(service.name);
        try {
          await expect(systemd.ensureService(service)).rejects.toMatchObject({ name: "ForeignUnitError" });
          await expect(systemd.ensureService(service)).rejects.toThrow(path);
        } finally {
          await host.removeOwn(service.name);
        }
        await systemd.ensureService(service);
        await becomes(service.name, UP);
      });
    });

    describe("killing", () => {
      it("ends a unit that takes no notice of being stopped, and its stop with it", async () => {
        const stubborn = await started({ runs: "for ever", stopMs: 60_000 });
        await becomes(stubborn, UP);
        const stopping = systemd.stop(stubborn);
        await becomes(stubborn, { active: "deactivating" });
        await systemd.kill([stubborn, "contract-nowhere.service"]);
        await stopping;
        await expect.poll(async () => (await stateOf(stubborn))?.active).toMatch(/inactive|failed/);
      });
    });

    describe("a name with an escape in it", () => {
      it.each([false, true])("is a name like any other: enabled is %s", async (hasInstall) => {
        const escaped = await started({ runs: "for ever" }, hasInstall, `contract-a\\x2db-${count++}.service`);
        await becomes(escaped, UP);
        await isHeardOf(escaped);
        expect(await host.enablement(escaped)).toBe(hasInstall ? "enabled-runtime" : "linked-runtime");
        const bound = await started({ runs: "for ever", bindsTo: escaped });
        await becomes(bound, UP);
        expect(await systemd.startsUnderWay([escaped])).toEqual(new Map());
        expect(await systemd.stop(escaped)).toEqual([bound]);
        expect(await stateOf(escaped)).toEqual(LOADED);
        expect(await systemd.unload([escaped])).toEqual(new Map());
        expect(await stateOf(escaped)).toEqual(NOT_FOUND);
        expect(await host.enablement(escaped)).toBeNull();
      });
    });

    describe("a connection that is lost", () => {
      it("is one whose systemd has left the bus: it would hear of nothing more", async () => {
        const slow = await started({ runs: "for ever", startMs: 2_000 });
        await host.leaveBus();
        await systemd.lost;
        await expect(systemd.states([slow])).rejects.toMatchObject({ unavailable: true });
        await expect
          .poll(async () => {
            systemd = await host.connect().catch(() => systemd);
            return stateOf(slow).catch(() => undefined);
          })
          .toBeDefined();
        await becomes(slow, UP);
      });
      it("says so, fails whatever is under way, and takes nothing with it", async () => {
        const slow = await started({ runs: "for ever", stopMs: LATE_MS });
        await becomes(slow, UP);
        const stopping = systemd.stop(slow).catch((error: unknown) => error);
        await becomes(slow, { active: "deactivating" });
        systemd.close();
        await systemd.lost;
        const unavailable = { name: "SystemdError", unavailable: true };
        expect(await stopping).toMatchObject(unavailable);
        await expect(systemd.start(slow)).rejects.toMatchObject(unavailable);
        await expect(systemd.states([slow])).rejects.toMatchObject(unavailable);
        await expect(systemd.load([unit()])).rejects.toMatchObject(unavailable);
        systemd = await host.connect();
        await becomes(slow, LOADED);
      });
    });
  });
}
