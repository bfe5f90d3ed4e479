import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hashText, type SystemdStates } from "@fleet/domain/unit";
import dbus, { type Message } from "dbus-next";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fence } from "./fence.ts";
import { DBusSystemd, type Systemd, SystemdError } from "./index.ts";
import { defaultInterface } from "./machine/address.ts";
import { readInstanceID, readMachineID } from "./machine/identity.ts";
import { UnitDirectory } from "./machine/unit-directory.ts";
import { nextTask, nextTasks, type PresentUnit, REASONS, type WantedUnit } from "./model/next-task.ts";
import { Bus } from "./systemd/bus.ts";
import { removeLinks } from "./systemd/links.ts";
import { ReloadDebt } from "./systemd/reload-debt.ts";
import { unitOfPath, unitPath } from "./systemd/wire.ts";
import { UnitRunner } from "./unit-runner.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-agent-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const name = "a.service";
const wanted = (desiredState: WantedUnit["desiredState"], hash = "h1"): WantedUnit => ({
  name,
  hash,
  desiredState,
  isFenced: false,
});
const present = (more: Partial<PresentUnit> = {}): PresentUnit => ({
  name,
  hash: "h1",
  isLaunched: false,
  isStopped: true,
  isUnfinished: false,
  ...more,
});

describe("the next task of a unit", () => {
  it.each<[string, WantedUnit | null, PresentUnit | null, object | null]>([
    ["nothing wanted, nothing there", null, null, null],
    [
      "wanted and not there: load",
      wanted("launched"),
      null,
      { kind: "load", name, hash: "h1", reason: REASONS.notLoaded },
    ],
    [
      "loaded and wanted launched: start",
      wanted("launched"),
      present(),
      { kind: "start", name, reason: REASONS.wantedLaunched },
    ],
    ["launched as wanted: nothing", wanted("launched"), present({ isLaunched: true, isStopped: false }), null],
    ["loaded as wanted: nothing", wanted("loaded"), present(), null],
    [
      "launched and wanted loaded: stop",
      wanted("loaded"),
      present({ isLaunched: true }),
      { kind: "stop", name, reason: REASONS.wantedLoaded },
    ],
    ["not wanted: stop first", null, present({ isStopped: false }), { kind: "stop", name, reason: REASONS.notWanted }],
    ["not wanted and stopped: unload", null, present(), { kind: "unload", name, reason: REASONS.notWanted }],
    [
      "another version: stop the old one first",
      wanted("launched", "h2"),
      present({ isLaunched: true, isStopped: false }),
      { kind: "stop", name, reason: REASONS.newVersion },
    ],
    [
      "another version, stopped: unload the old one",
      wanted("launched", "h2"),
      present(),
      { kind: "unload", name, reason: REASONS.newVersion },
    ],
  ])("%s", (_what, want, have, task) => expect(nextTask(want, have)).toEqual(task));
  it("comes in the order of kinds, then names; units on hold have none", () => {
    const units = new Map(
      ["c", "b", "a", "d"].map((n) => [n, { name: n, hash: "h1", desiredState: "launched", isFenced: false } as const]),
    );
    const there = new Map([
      ["c", present({ name: "c" })],
      ["x", present({ name: "x" })],
      ["y", present({ name: "y", isStopped: false })],
    ]);
    expect(nextTasks(units, there, (n) => n === "d").map(({ kind, name: n }) => `${kind} ${n}`)).toEqual([
      "stop y",
      "unload x",
      "load a",
      "load b",
      "start c",
    ]);
  });
});

/** A systemd in memory. What is named in `broken` fails. */
class FakeSystemd implements Systemd {
  readonly lost = new Promise<void>(() => undefined);
  readonly calls: string[] = [];
  readonly broken = new Set<string>();
  /** Units whose links somebody has removed; loading links them again. */
  readonly missing = new Set<string>();
  stopGate: Promise<void> = Promise.resolve();
  onChanged(): void {}
  async load(units: Parameters<Systemd["load"]>[0]) {
    for (const { name } of units) {
      this.calls.push(`load ${name}`);
      this.missing.delete(name);
    }
    if (this.broken.has("answer")) throw new SystemdError("no answer", { unavailable: true });
    return new Map(
      units
        .filter(({ name }) => this.broken.has(`load ${name}`))
        .map(({ name }) => [name, new SystemdError("refused")]),
    );
  }
  async start(unit: string) {
    this.calls.push(`start ${unit}`);
    if (this.broken.has(`start ${unit}`)) throw new SystemdError("refused");
    if (this.missing.has(unit)) throw new SystemdError(`Unit ${unit} not found.`);
  }
  async stop(unit: string) {
    this.calls.push(`stop ${unit}`);
    if (unit.startsWith("slow")) await this.stopGate;
    if (this.broken.has(`stop ${unit}`)) throw new SystemdError("refused");
  }
  async unload(names: readonly string[]) {
    for (const unit of names) this.calls.push(`unload ${unit}`);
    return new Map<string, SystemdError>();
  }
  async states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    const load = (name: string): string => (this.missing.has(name) ? "not-found" : "loaded");
    return new Map(names.map((name) => [name, { load: load(name), active: "inactive", sub: "dead" }]));
  }
  async ensureService(): Promise<void> {}
  close(): void {}
}

const TEXT = "[Service]\nExecStart=/bin/a\n";
const HASH = hashText(TEXT);

function runner(): {
  systemd: FakeSystemd;
  runner: UnitRunner;
  settle: (wanted: WantedUnit[]) => Promise<void>;
  fence: { isArmed: boolean; isOurs: boolean };
} {
  const fence = { isArmed: true, isOurs: true };
  const systemd = new FakeSystemd();
  const log = { debug() {}, warn() {}, error() {} } as never;
  const made = new UnitRunner({
    directory: new UnitDirectory(join(folder, "units")),
    log,
    text: (hash) => (hash === HASH ? TEXT : undefined),
    onTouched: () => undefined,
    onProgress: () => undefined,
    failpoint: () => undefined,
    isFenceArmed: () => fence.isArmed,
    isStillOurs: async () => fence.isOurs,
  });
  const settle = async (units: WantedUnit[]): Promise<void> => {
    const map = new Map(units.map((unit) => [unit.name, unit]));
    for (let quiet = 0; quiet < 3; quiet++) {
      if (await made.step(systemd, map, new Set())) quiet = 0;
      await sleep(2);
    }
  };
  return { systemd, runner: made, settle, fence };
}
const unit = (n: string, desiredState: WantedUnit["desiredState"] = "launched"): WantedUnit => ({
  name: n,
  hash: HASH,
  desiredState,
  isFenced: false,
});

describe("running units", () => {
  it("loads and starts what is wanted, and nothing twice", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    await settle([unit("a.service"), unit("b.service", "loaded")]);
    await settle([unit("a.service"), unit("b.service", "loaded")]);
    expect(systemd.calls).toEqual(["load a.service", "load b.service", "start a.service"]);
    expect(readdirSync(join(folder, "units")).filter((file) => !file.startsWith("."))).toEqual([
      "a.service",
      "b.service",
    ]);
  });
  it("adopts after a restart what runs, and does nothing to what is as wanted", async () => {
    const first = runner();
    await first.runner.adopt();
    await first.settle([unit("a.service"), unit("b.service", "loaded")]);
    const second = runner();
    await second.runner.adopt();
    await second.settle([unit("a.service"), unit("b.service", "loaded")]);
    expect(second.systemd.calls).toEqual([]);
    await second.settle([]);
    expect(second.systemd.calls).toEqual(["stop a.service", "stop b.service", "unload a.service", "unload b.service"]);
  });
  it("clears away what an earlier boot left where the folder outlives it", async () => {
    const boot = join(folder, "boot");
    writeFileSync(boot, "one\n");
    const before = new UnitDirectory(join(folder, "units"), boot);
    await before.read();
    await before.write("a.service", TEXT);
    await before.markLaunched("a.service", true);
    expect(await before.read()).toMatchObject([{ name: "a.service", isLaunched: true }]);
    writeFileSync(boot, "two\n");
    expect(await new UnitDirectory(join(folder, "units"), boot).read()).toEqual([]);
  });
  it("leaves nothing of a file that could not be written", async () => {
    const directory = new UnitDirectory(join(folder, "units"));
    await directory.read();
    mkdirSync(directory.file("a.service")); // which no file can take the place of
    expect(() => directory.write("a.service", TEXT)).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(join(folder, "units")).filter((file) => !file.startsWith("."))).toEqual(["a.service"]);
  });
  it("takes away whole a unit that systemd may have loaded, though it never answered", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    systemd.broken.add("answer");
    await settle([unit("a.service")]);
    systemd.broken.clear();
    await settle([]);
    expect(systemd.calls).toEqual(["load a.service", "stop a.service", "unload a.service"]);
    expect(readdirSync(join(folder, "units"))).not.toContain("a.service");
  });
  it("a unit that fails stops no other, keeps its error, and waits longer each time", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    systemd.broken.add("load bad.service");
    await settle([unit("bad.service"), unit("good.service")]);
    expect(systemd.calls).toContain("start good.service");
    expect(made.stateOf("bad.service", undefined)).toMatchObject({ current: "inactive", error: "refused" });
    const retryIn = (made.nextRetryAt ?? 0) - performance.now();
    await sleep(Math.max(0, retryIn) + 5);
    await settle([unit("bad.service"), unit("good.service")]);
    expect(systemd.calls.filter((call) => call === "load bad.service")).toHaveLength(2);
    expect(made.snapshot()).toMatchObject({ troubles: [{ name: "bad.service", failures: 2 }] });
  });
  it("forgets an error as soon as something else is wanted, and does not come back for it", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    systemd.broken.add("start a.service");
    await settle([unit("a.service")]);
    expect(made.stateOf("a.service", undefined)?.error).toBe("refused");
    await settle([unit("a.service", "loaded")]);
    expect(made.stateOf("a.service", undefined)?.error).toBeNull();
    expect(made.nextRetryAt).toBeNull();
  });
  it("a stop that hangs holds up no other, and keeps the unit's file until it is over", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    await settle([unit("slow.service")]);
    const gate = Promise.withResolvers<void>();
    systemd.stopGate = gate.promise;
    await settle([unit("quick.service")]);
    expect(systemd.calls).toContain("start quick.service");
    expect(systemd.calls).not.toContain("unload slow.service");
    expect(readdirSync(join(folder, "units"))).toContain("slow.service");
    gate.resolve();
    await sleep(5);
    await settle([unit("quick.service")]);
    expect(systemd.calls).toContain("unload slow.service");
    expect(readdirSync(join(folder, "units"))).not.toContain("slow.service");
  });
  it("a unit that can't be stopped keeps its file", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    await settle([unit("a.service")]);
    systemd.broken.add("stop a.service");
    await settle([]);
    expect(systemd.calls).not.toContain("unload a.service");
    expect(readdirSync(join(folder, "units"))).toContain("a.service");
  });
  it("loads anew what systemd does not find, once in a while, and nothing that was started", async () => {
    const before = new UnitDirectory(join(folder, "units"));
    await before.read();
    // As after a crash between writing a file and linking it.
    before.write("a.service", TEXT);
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
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
    await made.adopt();
    const names = ["a.service", "b.service"];
    await settle(names.map((name) => unit(name, "loaded")));
    systemd.calls.length = 0;
    systemd.missing.add("a.service");
    systemd.broken.add("start b.service");
    await settle(names.map((name) => unit(name)));
    const calls = ["start a.service", "start b.service", "unload a.service", "load a.service", "start a.service"];
    expect(systemd.calls).toEqual(calls);
    expect(made.stateOf("a.service", undefined)).toMatchObject({ current: "launched", error: null });
    expect(made.stateOf("b.service", undefined)).toMatchObject({ current: "loaded", error: "refused" });
  });
  it("leaves alone what is not clear", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    await settle([unit("a.service")]);
    systemd.calls.length = 0;
    await made.step(systemd, new Map(), new Set(["a.service"]));
    expect(systemd.calls).toEqual([]);
  });
});

describe("units that must not outlive the machine's lease", () => {
  const fenced = { ...unit("f.service"), isFenced: true };
  const marks = (): string[] => readdirSync(join(folder, "units", ".fenced"));

  it("are started only where something will stop them, and are marked for it before", async () => {
    const { systemd, runner: made, settle, fence } = runner();
    await made.adopt();
    fence.isArmed = false;
    await settle([fenced, unit("a.service")]);
    expect(systemd.calls).toEqual(["load a.service", "load f.service", "start a.service"]);
    fence.isArmed = true;
    await settle([fenced, unit("a.service")]);
    expect(systemd.calls.at(-1)).toBe("start f.service");
    expect(marks()).toEqual(["f.service"]);
    expect(new UnitDirectory(join(folder, "units")).hasFenced).toBe(true);
    await settle([unit("a.service")]);
    expect(systemd.calls.slice(-2)).toEqual(["stop f.service", "unload f.service"]);
    expect(marks()).toEqual([]);
    expect(new UnitDirectory(join(folder, "units")).hasFenced).toBe(false);
  });
  it("are started again after the watchdog has stopped them, unless etcd has them elsewhere by now", async () => {
    const { systemd, runner: made, settle, fence } = runner();
    await made.adopt();
    await settle([fenced]);
    rmSync(join(folder, "units", ".launched", "f.service")); // as the watchdog does
    fence.isOurs = false;
    made.noticeFenced();
    systemd.calls.length = 0;
    await settle([fenced]);
    expect(systemd.calls).toEqual([]);
    fence.isOurs = true;
    const { systemd: next, runner: second, settle: settleSecond } = runner();
    await second.adopt();
    await settleSecond([fenced]);
    expect(next.calls).toEqual(["start f.service"]);
  });
});

describe("the watchdog", () => {
  /** Stands in for systemctl: writes down what it is asked for. */
  function systemctl(): string {
    const path = join(folder, "systemctl");
    const say = `echo "$(cut -d ' ' -f 1 /proc/uptime) $*" >>${join(folder, "calls")}`;
    writeFileSync(path, `#!/bin/sh\n${say}\n`, { mode: 0o755 });
    return path;
  }
  it("stops the units when a deadline goes by, kills what is left, and does nothing while deadlines come", async () => {
    const program = systemctl();
    const children: ChildProcess[] = [];
    const systemd = Object.assign(new FakeSystemd(), {
      ensureService: async (_name: string, _description: string, [shell = "", ...args]: readonly string[]) => {
        children.push(spawn(shell, [...args.slice(0, -1), program], { stdio: "ignore" }));
      },
    });
    const ttlMs = 5_000;
    const fence = new Fence({ folder: join(folder, "f"), launched: join(folder, "l"), ttlMs, isUser: false });
    try {
      mkdirSync(join(folder, "f"));
      mkdirSync(join(folder, "l"));
      writeFileSync(join(folder, "f", "-odd name@1.service"), "");
      writeFileSync(join(folder, "l", "-odd name@1.service"), "");
      for (let beat = 0; beat < 8; beat++) {
        expect(await fence.arm(systemd, performance.now())).toBe(true);
        await sleep(500);
      }
      expect(existsSync(join(folder, "calls"))).toBe(false);
      expect(existsSync(join(folder, "l", "-odd name@1.service"))).toBe(true);
      expect(fence.isArmed).toBe(true);
      // A beat of which the answer took too long proves nothing.
      expect(await fence.arm(systemd, performance.now() - 300)).toBe(false);
      const calls = (): string[] => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
      const started = performance.now();
      while (!existsSync(join(folder, "calls")) || calls().length < 3) {
        if (performance.now() - started > 10_000) throw new Error("the watchdog did nothing");
        await sleep(20);
      }
      expect(fence.isArmed).toBe(false);
      expect(calls().map((call) => call.replace(/^[\d.]+ /, ""))).toEqual([
        "stop --no-block -- -odd name@1.service",
        "kill --signal=KILL -- -odd name@1.service",
        "stop --no-block -- -odd name@1.service",
      ]);
      // Between the two a unit has a fifth of the time to live to end by itself.
      const [stoppedAt = 0, killedAt = 0] = calls().map((call) => Number.parseFloat(call));
      expect(killedAt - stoppedAt).toBeGreaterThan(0.5);
      expect(existsSync(join(folder, "l", "-odd name@1.service"))).toBe(false);
      // It goes on with the next deadline, and kills nothing that has come back in time.
      expect(await fence.arm(systemd, performance.now())).toBe(true);
      expect(fence.isArmed).toBe(true);
      expect(children).toHaveLength(1);
    } finally {
      for (const child of children) child.kill("SIGKILL");
      fence.close();
    }
  });
});

describe("links that systemd has left", () => {
  it("are taken away by name, by alias and from what wants the unit; masks and others' links stay", () => {
    const links = join(folder, "links");
    const wants = join(links, "multi-user.target.wants");
    mkdirSync(wants, { recursive: true });
    const masks: readonly string[] = ["masked.service", "b.service"];
    for (const name of masks) symlinkSync("/dev/null", join(links, name));
    for (const name of ["a.service", "c.service"]) {
      for (const at of [links, wants]) symlinkSync(`/run/fleet/units/${name}`, join(at, name));
      symlinkSync(`/run/fleet/units/${name}`, join(links, `alias-${name}`));
    }
    writeFileSync(join(links, "file.service"), TEXT);
    const names = ["a.service", "masked.service", "file.service", "gone.service"];
    expect(removeLinks(links, names)).toBe(true);
    expect(readdirSync(links).sort()).toEqual(
      [...masks, "alias-c.service", "c.service", "file.service", "multi-user.target.wants"].sort(),
    );
    expect(readdirSync(wants)).toEqual(["c.service"]);
    expect(removeLinks(links, names)).toBe(false);
    expect(removeLinks(join(folder, "nowhere"), names)).toBe(false);
  });
});

describe("a reload that systemd owes", () => {
  it("is noted before it may be needed, until it was done or is known not to be needed", async () => {
    const debt = new ReloadDebt(folder);
    const owed: boolean[] = [];
    const work = (needsReload: boolean) => async (): Promise<boolean> => {
      owed.push(debt.isOwed);
      return needsReload;
    };
    expect(await debt.during(work(false))).toBe(false);
    expect(debt.isOwed).toBe(false);
    expect(await debt.during(work(true))).toBe(true);
    expect(new ReloadDebt(folder).isOwed).toBe(true);
    // What was owed before stays owed, whatever comes after.
    await debt.during(work(false));
    expect(debt.isOwed).toBe(true);
    debt.settle();
    await expect(debt.during(() => Promise.reject(new Error("killed")))).rejects.toThrow("killed");
    expect(debt.isOwed).toBe(true);
    expect(owed).toEqual([true, true, true]);
  });
});

describe("the machine", () => {
  it("is known by its ID, or says what is wrong with the file", () => {
    const file = join(folder, "machine-id");
    expect(() => readMachineID(file)).toThrow(/machine-id can't be read/);
    writeFileSync(file, "uninitialized\n");
    expect(() => readMachineID(file)).toThrow(/does not hold a machine ID/);
    writeFileSync(file, `${"0a".repeat(16)}\n`);
    expect(readMachineID(file)).toBe("0a".repeat(16));
  });
  it("knows itself again after a restart of the agent, and not after a reboot", () => {
    const boot = join(folder, "boot");
    writeFileSync(boot, "one\n");
    const first = readInstanceID(join(folder, "run"), boot);
    expect(readInstanceID(join(folder, "run"), boot)).toBe(first);
    writeFileSync(boot, "two\n");
    expect(readInstanceID(join(folder, "run"), boot)).not.toBe(first);
  });
  it("has the address of its default route with the lowest metric", () => {
    const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
    const row = (iface: string, destination: string, metric: number): string =>
      `${iface}\t${destination}\t0100000A\t0003\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;
    expect(
      defaultInterface(
        `${head}${row("eth1", "00000000", 200)}${row("eth0", "00000000", 100)}${row("lo", "0000007F", 0)}`,
        "",
      ),
    ).toBe("eth0");
    expect(
      defaultInterface(
        head,
        `${"0".repeat(32)} 00 ${"0".repeat(32)} 00 fe80 00000400 00000001 00000000 00000003 eth2\n`,
      ),
    ).toBe("eth2");
    expect(defaultInterface("", "")).toBeNull();
  });
});

describe("D-Bus", () => {
  it.each(["a.service", "foo@bar-baz.service", "a\\x2db.mount", "9.timer"])(
    "object paths lead to %s and back",
    (unitName) => {
      expect(unitPath(unitName)).toMatch(/^\/org\/freedesktop\/systemd1\/unit\/[A-Za-z_][A-Za-z0-9_]*$/);
      expect(unitOfPath(unitPath(unitName))).toBe(unitName);
    },
  );
  it("that is not there is a clear error, not a crash", async () => {
    await onBus(join(folder, "no-bus"), () =>
      expect(DBusSystemd.connect(false, folder)).rejects.toThrow(/the system's D-Bus can't be reached: .*ENOENT/),
    );
  });
  it("tells a call that nobody has answered, and that may have been carried out, from one that was refused", async () => {
    const path = join(folder, "bus");
    const daemon = spawn("dbus-daemon", ["--session", "--nofork", `--address=unix:path=${path}`, "--print-address"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await once(daemon.stdout, "data");
      const service = dbus.sessionBus({ busAddress: `unix:path=${path}` });
      await service.requestName("test.Service", 0);
      service.addMethodHandler((message: Message) => {
        if (message.member !== "Quit") return false; // which is answered with an error
        service.disconnect();
        return true;
      });
      await onBus(path, async () => {
        const bus = await Bus.connect(false);
        const call = (member: string): Promise<unknown> =>
          bus.call({
            destination: "test.Service",
            path: "/test",
            interface: "test.Service",
            member,
            signature: "",
            body: [],
          });
        await expect(call("Refuse")).rejects.toMatchObject({
          unavailable: false,
          type: "org.freedesktop.DBus.Error.UnknownMethod",
        });
        await expect(call("Quit")).rejects.toMatchObject({ unavailable: true });
        bus.close();
      });
    } finally {
      daemon.kill("SIGKILL");
    }
  });

  /** Does something while the system's bus is at a path of the test's own. */
  async function onBus(path: string, work: () => Promise<unknown>): Promise<void> {
    const before = process.env.DBUS_SYSTEM_BUS_ADDRESS;
    process.env.DBUS_SYSTEM_BUS_ADDRESS = `unix:path=${path}`;
    try {
      await work();
    } finally {
      if (before === undefined) delete process.env.DBUS_SYSTEM_BUS_ADDRESS;
      else process.env.DBUS_SYSTEM_BUS_ADDRESS = before;
    }
  }
});
