import { NOWHERE, scheduledTo } from "@fleet/domain/whereabouts";
import { type Fault, hostOf, lasting, on, type Target, withEnvironment } from "../target.ts";
import { NAMES } from "../traffic.ts";
import { UnitBurst } from "../unit-burst.ts";

/** What the time of a host's daemons is off by. */
const CLOCK = "/run/fleet-clock";

/** 500 units of one machine, which take two seconds to stop: more stops than systemd bears at once would be under way. */
function burstOn(target: Target, host: number): { readonly burst: UnitBurst; readonly machineID: string } {
  const machineID = target.cluster.cluster.network.hosts.get(host)?.machineID ?? "";
  const text = `[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 2\n[X-Fleet]\nMachineID=${machineID}\n`;
  const options = { kind: "burst", size: 500, text, desiredState: "launched" } as const;
  return { burst: new UnitBurst(target.traffic, target.history, options), machineID };
}

/** Of hosts and their systemd; docs/reliability.md says what they do. */
export const HOST_FAULTS: Readonly<Record<string, Fault>> = {
  "host lost power": async (target) => {
    const host = target.random.pick([3, 4]);
    const { cluster } = target.cluster;
    target.disturbed.add(`*@${host}`);
    await cluster.network.killHost(host);
    target.traffic.lostHost(host);
    await lasting(target, 1, 9);
    await cluster.network.startHost(host, cluster.hostOptions(host));
    return `h${host} lost its power and booted again`;
  },
  "host rebooted": async (target) => {
    const host = target.random.pick([3, 4]);
    const { cluster } = target.cluster;
    target.disturbed.add(`*@${host}`);
    await cluster.network.shutDown(host);
    target.traffic.lostHost(host);
    await cluster.network.startHost(host, cluster.hostOptions(host));
    return `h${host} was shut down in order and booted again`;
  },
  "/run full": async (target) => {
    const host = hostOf(target);
    const size = await on(target, host, "findmnt -no OPTIONS /run | grep -o 'size=[^,]*'");
    // No larger than what is in it now.
    await on(target, host, "mount -o remount,size=$(df --output=used -k /run | tail -n 1 | tr -d ' ')k /run");
    await lasting(target, 2, 6);
    await on(target, host, `mount -o remount,${size === "" ? "size=20%" : size} /run`);
    return `/run of h${host} was full`;
  },
  "D-Bus restarted": async (target) => {
    const host = hostOf(target);
    await on(target, host, "systemctl kill -s KILL dbus");
    return `D-Bus of h${host} killed`;
  },
  "systemd reexecuted": async (target) => {
    const host = hostOf(target);
    await on(target, host, "systemctl daemon-reexec; systemctl daemon-reload");
    return `systemd of h${host} reexecuted and reloaded`;
  },
  "stopped by hand": async (target) => {
    const host = hostOf(target);
    const list = "systemctl list-units --plain --no-legend --state=active 'free-*' 'rack-*' | cut -d' ' -f1";
    const active = (await on(target, host, list)).split("\n");
    const units = active.filter((name) => name !== "" && !target.traffic.unknown.has(name));
    if (units.length === 0) return "nothing to stop by hand";
    const unit = target.random.pick(units);
    target.disturbed.add(unit);
    // Until somebody starts it again, as the spec has it: what an operator stops stays stopped.
    await on(target, host, `systemctl stop ${unit}; sleep 1; systemctl start ${unit}`);
    // Where its user has taken it away in between, it is the same hand that has to stop what it has started.
    const wanted = (await target.registry.units([unit])).get(unit);
    const isHere =
      scheduledTo(wanted?.whereabouts ?? NOWHERE) === target.cluster.cluster.network.hosts.get(host)?.machineID;
    if (wanted?.desiredState !== "launched" || !isHere) await on(target, host, `systemctl stop ${unit}`);
    return `${unit} stopped and started by hand on h${host}`;
  },
  "masked by hand": async (target) => {
    const host = hostOf(target);
    const unit = target.random.pick(NAMES);
    await on(target, host, `systemctl mask ${unit}`);
    await lasting(target, 2, 6);
    await on(target, host, `systemctl unmask ${unit}`);
    return `${unit} was masked by hand on h${host}`;
  },
  "500 units on one host": async (target) => {
    const host = hostOf(target);
    const { burst, machineID } = burstOn(target, host);
    await burst.submit();
    await burst.allActive(machineID);
    await on(target, host, "systemctl kill -s KILL fleet-agent");
    await burst.destroy();
    return `500 units came to h${host} and went`;
  },
  "D-Bus restarted in a burst": async (target) => {
    const host = hostOf(target);
    const { burst, machineID } = burstOn(target, host);
    const restart = async (): Promise<void> => {
      await lasting(target, 0.5, 3);
      await on(target, host, "systemctl kill -s KILL dbus");
    };
    await Promise.all([burst.submit(), restart()]);
    await burst.allActive(machineID);
    await Promise.all([burst.destroy(), restart()]);
    return `500 units came to h${host} and went, and its D-Bus was killed in the middle of both`;
  },
  "clock jumped": async (target) => {
    const host = hostOf(target);
    const lines = [
      `LD_PRELOAD=/usr/lib/${await on(target, host, "uname -m")}-linux-gnu/faketime/libfaketime.so.1`,
      `FAKETIME_TIMESTAMP_FILE=${CLOCK}`,
      "FAKETIME_CACHE_DURATION=1",
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ];
    await on(target, host, `echo +0 >${CLOCK}`);
    await withEnvironment(target, host, lines.join("\n"), async () => {
      const isFaked = "grep -q libfaketime /proc/$(systemctl show -P MainPID fleet-agent)/maps && echo yes";
      if ((await on(target, host, isFaked)) !== "yes") throw new Error(`h${host}: libfaketime could not be used`);
      for (const offset of ["+1h", "-1h"]) {
        await lasting(target, 1, 4);
        await on(target, host, `echo ${offset} >${CLOCK}`);
      }
      await lasting(target, 1, 4);
    });
    return `the clock of h${host}'s daemons jumped an hour ahead, then two back`;
  },
};
