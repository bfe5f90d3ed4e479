import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hashText, type SystemdStates } from "@fleet/registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DBusSystemd, type Systemd, SystemdError } from "./index.ts";
import { defaultInterface } from "./machine/address.ts";
import { readInstanceID, readMachineID } from "./machine/identity.ts";
import { UnitDirectory } from "./machine/unit-directory.ts";
import { nextTask, nextTasks, type PresentUnit, REASONS, type WantedUnit } from "./model/next-task.ts";
import { unitOfPath, unitPath } from "./systemd/wire.ts";
import { UnitRunner } from "./unit-runner.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-agent-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const name = "a.service";
const wanted = (desiredState: WantedUnit["desiredState"], hash = "h1"): WantedUnit => ({ name, hash, desiredState });
const present = (more: Partial<PresentUnit> = {}): PresentUnit => ({
  name,
  hash: "h1",
  isLaunched: false,
  isStopped: true,
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
      ["c", "b", "a", "d"].map((n) => [n, { name: n, hash: "h1", desiredState: "launched" } as const]),
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
  stopGate: Promise<void> = Promise.resolve();
  onChanged(): void {}
  async load(units: Parameters<Systemd["load"]>[0]) {
    for (const { name } of units) this.calls.push(`load ${name}`);
    return new Map(
      units
        .filter(({ name }) => this.broken.has(`load ${name}`))
        .map(({ name }) => [name, new SystemdError("refused")]),
    );
  }
  async start(unit: string) {
    this.calls.push(`start ${unit}`);
    if (this.broken.has(`start ${unit}`)) throw new SystemdError("refused");
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
  async states(): Promise<ReadonlyMap<string, SystemdStates>> {
    return new Map();
  }
  close(): void {}
}

const TEXT = "[Service]\nExecStart=/bin/a\n";
const HASH = hashText(TEXT);

function runner(): { systemd: FakeSystemd; runner: UnitRunner; settle: (wanted: WantedUnit[]) => Promise<void> } {
  const systemd = new FakeSystemd();
  const log = { debug() {}, error() {} } as never;
  const made = new UnitRunner({
    directory: new UnitDirectory(join(folder, "units")),
    log,
    text: (hash) => (hash === HASH ? TEXT : undefined),
    onTouched: () => undefined,
    onProgress: () => undefined,
  });
  const settle = async (units: WantedUnit[]): Promise<void> => {
    const map = new Map(units.map((unit) => [unit.name, unit]));
    for (let quiet = 0; quiet < 3; quiet++) {
      if (await made.step(systemd, map, new Set())) quiet = 0;
      await sleep(2);
    }
  };
  return { systemd, runner: made, settle };
}
const unit = (n: string, desiredState: WantedUnit["desiredState"] = "launched"): WantedUnit => ({
  name: n,
  hash: HASH,
  desiredState,
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
  it("a unit that fails stops no other, keeps its error, and waits longer each time", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    systemd.broken.add("load bad.service");
    await settle([unit("bad.service"), unit("good.service")]);
    expect(systemd.calls).toContain("start good.service");
    expect(made.stateOf("bad.service", undefined)).toMatchObject({ current: "inactive", error: "refused" });
    const retryIn = (made.nextRetryAt ?? 0) - performance.now();
    expect(retryIn).toBeGreaterThan(50);
    await sleep(retryIn + 5);
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
  it("leaves alone what is not clear", async () => {
    const { systemd, runner: made, settle } = runner();
    await made.adopt();
    await settle([unit("a.service")]);
    systemd.calls.length = 0;
    await made.step(systemd, new Map(), new Set(["a.service"]));
    expect(systemd.calls).toEqual([]);
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
    const before = process.env.DBUS_SYSTEM_BUS_ADDRESS;
    process.env.DBUS_SYSTEM_BUS_ADDRESS = `unix:path=${join(folder, "no-bus")}`;
    try {
      await expect(DBusSystemd.connect(false)).rejects.toThrow(/the system's D-Bus can't be reached: .*ENOENT/);
    } finally {
      if (before === undefined) delete process.env.DBUS_SYSTEM_BUS_ADDRESS;
      else process.env.DBUS_SYSTEM_BUS_ADDRESS = before;
    }
  });
});
