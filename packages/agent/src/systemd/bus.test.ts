import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import dbus, { type Message } from "dbus-next";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { Bus } from "./bus.ts";
import { DBusSystemd } from "./dbus-systemd.ts";

const folder = temporaryFolder();

describe("D-Bus", () => {
  it("that is not there is a clear error, not a crash", async () => {
    await onBus(join(folder(), "no-bus"), () =>
      expect(DBusSystemd.connect(false, folder())).rejects.toThrow(/the system's D-Bus can't be reached: .*ENOENT/),
    );
  });
  it("tells a call that nobody has answered, and that may have been carried out, from one that was refused", async () => {
    await withDaemon(async (path) => {
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
    });
  });
  it("has no more calls under way than it may, also where each answer leads to the next call at once", async () => {
    await withDaemon(async (path) => {
      const service = dbus.sessionBus({ busAddress: `unix:path=${path}` });
      await service.requestName("test.Service", 0);
      let underWay = 0;
      let most = 0;
      service.addMethodHandler((message: Message) => {
        if (message.member !== "Work") return false;
        most = Math.max(most, ++underWay);
        setImmediate(() => {
          underWay--;
          service.send(dbus.Message.newMethodReturn(message));
        });
        return true;
      });
      await onBus(path, async () => {
        const bus = await Bus.connect(false);
        const about = { destination: "test.Service", path: "/test", interface: "test.Service" };
        const work = async (): Promise<void> => {
          for (let times = 0; times < 5; times++) await bus.call({ ...about, member: "Work", signature: "", body: [] });
        };
        await Promise.all(Array.from({ length: 300 }, work));
        bus.close();
      });
      service.disconnect();
      expect(most).toBeLessThanOrEqual(64);
      expect(most).toBeGreaterThan(1);
    });
  });

  /** A bus of the test's own, for as long as the work takes. */
  async function withDaemon(work: (path: string) => Promise<void>): Promise<void> {
    const path = join(folder(), "bus");
    const daemon = spawn("dbus-daemon", ["--session", "--nofork", `--address=unix:path=${path}`, "--print-address"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await once(daemon.stdout, "data");
      await work(path);
    } finally {
      daemon.kill("SIGKILL");
    }
  }

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
