import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FakeSystemd } from "../../../testbed/fake-systemd.ts";
import { temporaryFolder } from "../../../testbed/temporary-folder.ts";
import { PartitionWatchdog } from "./partition-watchdog.ts";
import { ForeignUnitError, type OwnService, SystemdError } from "./systemd/systemd.ts";

const folder = temporaryFolder();

describe("the watchdog", () => {
  /** Stands in for systemctl: writes down what it is asked for. */
  function systemctl(): string {
    const path = join(folder(), "systemctl");
    const say = `echo "$(cut -d ' ' -f 1 /proc/uptime) $*" >>${join(folder(), "calls")}`;
    writeFileSync(path, `#!/bin/sh\n${say}\n`, { mode: 0o755 });
    return path;
  }
  it("stops the units when a deadline goes by, kills what is left, keeps them stopped, and does nothing while deadlines come", async () => {
    const program = systemctl();
    const children: ChildProcess[] = [];
    const systemd = Object.assign(new FakeSystemd(), {
      ensureService: async ({ command: [shell = "", ...args] }: OwnService) => {
        if (children.length === 0) children.push(spawn(shell, [...args.slice(0, -1), program], { stdio: "ignore" }));
      },
    });
    const ttlMs = 5_000;
    const watchdog = new PartitionWatchdog({
      folder: join(folder(), "f"),
      launched: join(folder(), "l"),
      ttlMs,
      isUser: false,
      onLack: () => undefined,
    });
    try {
      mkdirSync(join(folder(), "f"));
      mkdirSync(join(folder(), "l"));
      writeFileSync(join(folder(), "f", "-odd name@1.service"), "");
      writeFileSync(join(folder(), "l", "-odd name@1.service"), "");
      for (let beat = 0; beat < 8; beat++) {
        expect(await watchdog.arm(systemd, performance.now())).toBe(true);
        await sleep(500);
      }
      expect(existsSync(join(folder(), "calls"))).toBe(false);
      expect(existsSync(join(folder(), "l", "-odd name@1.service"))).toBe(true);
      expect(watchdog.isArmed).toBe(true);
      // A beat of which the answer took too long proves nothing.
      expect(await watchdog.arm(systemd, performance.now() - 300)).toBe(false);
      const calls = (): string[] => readFileSync(join(folder(), "calls"), "utf8").trim().split("\n");
      const started = performance.now();
      while (!existsSync(join(folder(), "calls")) || calls().length < 5) {
        if (performance.now() - started > 10_000) throw new Error("the watchdog did nothing");
        await sleep(20);
      }
      expect(watchdog.isArmed).toBe(false);
      expect(
        calls()
          .slice(0, 5)
          .map((call) => call.replace(/^[\d.]+ /, "")),
      ).toEqual([
        "stop --no-block -- -odd name@1.service",
        "kill --signal=KILL -- -odd name@1.service",
        "stop --no-block -- -odd name@1.service",
        // Another unit has started it again meanwhile.
        "is-active -- -odd name@1.service",
        "stop --no-block -- -odd name@1.service",
      ]);
      // Between the two a unit has a fifth of the time to live to end by itself.
      const [stoppedAt = 0, killedAt = 0] = calls().map((call) => Number.parseFloat(call));
      expect(killedAt - stoppedAt).toBeGreaterThan(0.5);
      expect(existsSync(join(folder(), "l", "-odd name@1.service"))).toBe(false);
      // It goes on with the next deadline, and kills nothing that has come back in time.
      expect(await watchdog.arm(systemd, performance.now())).toBe(true);
      expect(watchdog.isArmed).toBe(true);
      expect(children).toHaveLength(1);
    } finally {
      for (const child of children) child.kill("SIGKILL");
      watchdog.close();
    }
  });
  it("that takes the place of one that was killed goes on with its deadline, also where that has gone by", async () => {
    const program = systemctl();
    let command: readonly string[] = [];
    const systemd = Object.assign(new FakeSystemd(), {
      ensureService: async (service: OwnService) => {
        command = service.command;
      },
    });
    const options = {
      folder: join(folder(), "f"),
      launched: join(folder(), "l"),
      ttlMs: 1_000,
      isUser: false,
      onLack: () => undefined,
    };
    const watchdog = new PartitionWatchdog(options);
    const children: ChildProcess[] = [];
    const run = (): ChildProcess => {
      const [shell = "", ...args] = command;
      const child = spawn(shell, [...args.slice(0, -1), program], { stdio: "ignore" });
      children.push(child);
      return child;
    };
    const verbs = (): string[] =>
      existsSync(join(folder(), "calls"))
        ? readFileSync(join(folder(), "calls"), "utf8")
            .trim()
            .split("\n")
            .map((call) => call.split(" ")[1] ?? "")
        : [];
    try {
      for (const each of [options.folder, options.launched]) mkdirSync(each);
      writeFileSync(join(options.folder, "a.service"), "");
      await watchdog.arm(systemd, performance.now());
      run().kill("SIGKILL");
      run();
      await expect.poll(verbs, { interval: 20, timeout: 10_000 }).toEqual(expect.arrayContaining(["stop", "kill"]));
      expect(watchdog.isArmed).toBe(false);
      children.at(-1)?.kill("SIGKILL");
      rmSync(join(folder(), "calls"));
      run();
      await expect.poll(verbs, { interval: 20, timeout: 10_000 }).toEqual(expect.arrayContaining(["stop", "kill"]));
    } finally {
      for (const child of children) child.kill("SIGKILL");
      watchdog.close();
    }
  });
});

describe("one of the two watchdogs that can't be had", () => {
  const NAME = "fleet-fence.service";
  const foreign = new ForeignUnitError(NAME, `/etc/${NAME}`);
  /** A watchdog, and what becomes of a look where systemd answers so of the first and of its spare. */
  function looking(first: Error | null, spare: Error | null) {
    const lacks: string[] = [];
    const systemd = Object.assign(new FakeSystemd(), {
      ensureService: async ({ name }: OwnService) => {
        const error = name === NAME ? first : spare;
        if (error !== null) throw error;
      },
    });
    const watchdog = new PartitionWatchdog({
      ...{ folder: join(folder(), "f"), launched: join(folder(), "l"), ttlMs: 1_000, isUser: false },
      onLack: (reason) => lacks.push(reason),
    });
    return { watchdog, lacks, look: () => watchdog.look(systemd) };
  }
  it("is told of, once, and stops nothing: the other stands", async () => {
    const { watchdog, lacks, look } = looking(foreign, null);
    await look();
    await look();
    expect([lacks, watchdog.trouble]).toEqual([[foreign.message], null]);
  });
  it("stops nothing either where systemd could not be asked of the other, which may stand", async () => {
    const away = new SystemdError("D-Bus is gone", { unavailable: true });
    for (const [first, spare] of [
      [foreign, away],
      [away, foreign],
    ] as const) {
      const { watchdog, look } = looking(first, spare);
      await expect(look()).rejects.toBe(away);
      expect(watchdog.trouble).toBeNull();
    }
  });
  it("is not passed over where what failed is a fault of fleet's own", async () => {
    const fault = new TypeError("x");
    await expect(looking(fault, null).look()).rejects.toBe(fault);
  });
  it("stops the units where the other can't be had either", async () => {
    const { watchdog, look } = looking(foreign, new ForeignUnitError("fleet-fence-spare.service", "/etc/x"));
    await expect(look()).rejects.toBe(foreign);
    expect(watchdog.trouble).toContain(foreign.message);
    watchdog.close();
  });
});
