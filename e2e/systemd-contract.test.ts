import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { DBusSystemd } from "@fleet/agent";
import { HostNetwork } from "../deploy/local-cluster/network.ts";
import type { UnitBehaviour } from "../testbed/fake-systemd-host.ts";
import { systemdContract } from "../testbed/systemd-contract.ts";

const UNITS = "/run/contract/units";

/** What the fake systemd is held to: a real one, which the test reaches by the D-Bus socket of its host. */
systemdContract("systemd", async () => {
  const network = await HostNetwork.create(`s${process.pid % 100000}`);
  try {
    const [host] = await network.addHosts(1);
    if (host === undefined) throw new Error("no host was started");
    const root = `/proc/${host.pid}/root`;
    mkdirSync(root + UNITS, { recursive: true });
    const systemctl = (...args: string[]): Promise<string> => network.must(host.index, "systemctl", ...args);
    return {
      connect: async () => {
        const before = process.env.DBUS_SYSTEM_BUS_ADDRESS;
        process.env.DBUS_SYSTEM_BUS_ADDRESS = `unix:path=${root}/run/dbus/system_bus_socket`;
        try {
          return await DBusSystemd.connect(false, root + UNITS, root);
        } finally {
          if (before === undefined) delete process.env.DBUS_SYSTEM_BUS_ADDRESS;
          else process.env.DBUS_SYSTEM_BUS_ADDRESS = before;
        }
      },
      write: (name, behaviour, hasInstall) => {
        writeFileSync(`${root}${UNITS}/${name}`, textOf(behaviour, hasInstall));
        return `${UNITS}/${name}`;
      },
      noFile: `${UNITS}/none.service`,
      putOwn: async (name) => {
        writeFileSync(`${root}/etc/systemd/system/${name}`, textOf({ runs: "for ever" }, false));
        await systemctl("daemon-reload");
        return `/etc/systemd/system/${name}`;
      },
      removeOwn: async (name) => {
        rmSync(`${root}/etc/systemd/system/${name}`);
        await systemctl("daemon-reload");
      },
      mask: async (name) => void (await systemctl("mask", name)),
      unmask: async (name) => void (await systemctl("unmask", name)),
      enablement: async (name) => {
        const { stdout } = await network.exec(host.index, ["systemctl", "is-enabled", name]);
        return stdout.trim() === "" || stdout.trim() === "not-found" ? null : stdout.trim();
      },
      leaveBus: async () => void (await systemctl("daemon-reexec")),
      reload: async () => void (await systemctl("daemon-reload")),
      invocation: (name) => systemctl("show", "-P", "InvocationID", name),
      stop: () => network.stop(),
    };
  } catch (error) {
    await network.stop();
    throw error;
  }
});

const COMMANDS: Readonly<Record<UnitBehaviour["runs"], string>> = {
  "for ever": "ExecStart=/bin/sleep infinity",
  "to its end": "ExecStart=/bin/true",
  "to a failure": "ExecStart=/bin/false",
  "not at all": "",
};

function textOf(
  { runs, startMs = 0, stopMs = 0, wants, bindsTo, refusesStop }: UnitBehaviour,
  hasInstall: boolean,
): string {
  const wait = (when: string, milliseconds: number): string[] =>
    milliseconds === 0 ? [] : [`${when}=/bin/sleep ${milliseconds / 1000}`];
  return [
    ...[
      "[Unit]",
      wants === undefined ? "" : `Wants=${wants}`,
      bindsTo === undefined ? "" : `BindsTo=${bindsTo}\nAfter=${bindsTo}`,
      refusesStop ? "RefuseManualStop=yes" : "",
    ],
    ...["[Service]", COMMANDS[runs], ...wait("ExecStartPre", startMs), ...wait("ExecStop", stopMs)],
    ...(hasInstall ? ["[Install]", "WantedBy=multi-user.target"] : []),
    "",
  ].join("\n");
}
