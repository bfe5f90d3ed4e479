import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster, THREE_HOSTS } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(async () => {
  await cluster.clear();
  await cluster.until(
    "all machines to be there",
    async () => (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === 3,
  );
});

const network = () => cluster.cluster.network;
const units = ["a@1", "a@2", "a@3", "a@4", "a@5", "a@6"].map((name) => `${name}.service`);

async function startSome(): Promise<Map<string, { host: number; invocation: string }>> {
  cluster.file("a@.service", SLEEP);
  await cluster.ok("start", ...units);
  return where();
}

async function where(): Promise<Map<string, { host: number; invocation: string }>> {
  const found = new Map<string, { host: number; invocation: string }>();
  for (const unit of units) {
    const host = await cluster.hostOf(unit);
    found.set(unit, { host, invocation: await cluster.show(host, unit, "InvocationID") });
  }
  return found;
}

async function leader(): Promise<number> {
  for (const index of [1, 2]) {
    const { stdout } = await network().exec(index, ["journalctl", "-u", "fleet-engine", "-o", "cat", "--no-pager"]);
    if (stdout.lastIndexOf("this engine leads the cluster") > stdout.lastIndexOf("is starting")) return index;
  }
  throw new Error("no engine leads");
}

const place = async (name: string): Promise<number> => {
  await cluster.ok("start", cluster.file(name, SLEEP));
  return cluster.hostOf(name);
};

describe("nothing is stopped by mistake", () => {
  it("killing the leading engine changes nothing for running units, and the other takes over", async () => {
    const before = await startSome();
    const first = await leader();
    await network().must(first, "systemctl", "kill", "-s", "KILL", "fleet-engine");
    await place("after-engine.service");
    expect(await where()).toEqual(before);
  });

  it("restarting the leading engine hands over at once", async () => {
    const before = await startSome();
    await network().must(await leader(), "systemctl", "restart", "fleet-engine");
    await place("after-restart.service");
    expect(await where()).toEqual(before);
  });

  it("restarting or killing an agent restarts no unit", async () => {
    const before = await startSome();
    await network().must(3, "systemctl", "kill", "-s", "KILL", "fleet-agent");
    await cluster.until(
      "the agent to be back",
      async () =>
        (await cluster.show(3, "fleet-agent", "NRestarts")) !== "0" &&
        (await cluster.show(3, "fleet-agent", "ActiveState")) === "active",
    );
    expect(await where()).toEqual(before);
    await network().must(3, "systemctl", "restart", "fleet-agent");
    await cluster.until(
      "the machine to be listed",
      async () => (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === 3,
    );
    expect(await where()).toEqual(before);
    expect((await cluster.ok("list-units", "--no-legend", "--fields=unit,active")).match(/\tactive/g)).toHaveLength(6);
  });

  it("an agent that is killed, and comes back after its lease has ended, restarts no unit that nobody else has", async () => {
    const id = network().hosts.get(3)?.machineID;
    await cluster.ok("start", cluster.file("pinned.service", `${SLEEP}[X-Fleet]\nMachineID=${id}\n`));
    const before = await cluster.show(3, "pinned.service", "InvocationID");
    const away = "/run/systemd/system/fleet-agent.service.d/away.conf";
    const later = `mkdir -p $(dirname ${away}); printf '[Service]\nRestartSec=600\n' >${away}; systemctl daemon-reload`;
    await network().must(3, "sh", "-c", later);
    await network().must(3, "systemctl", "kill", "-s", "KILL", "fleet-agent");
    await cluster.until("the unit to be taken off", async () =>
      (await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,target")).includes("pinned.service\t-"),
    );
    await network().must(3, "sh", "-c", `rm ${away}; systemctl daemon-reload; systemctl restart fleet-agent`);
    await cluster.until("the unit to be given back", async () =>
      /pinned\.service\tactive/.test(await cluster.ok("list-units", "--no-legend", "--fields=unit,active")),
    );
    expect(await cluster.show(3, "pinned.service", "InvocationID")).toBe(before);
  });

  it("a unit whose link is gone is loaded anew and started, whether its agent was there or not", async () => {
    const host = await place("beside.service");
    const text = `${SLEEP}[X-Fleet]\nMachineOf=beside.service\n`;
    for (const name of ["there.service", "killed.service"]) {
      await cluster.ok("load", cluster.file(name, text));
      if (name === "killed.service") await network().must(host, "systemctl", "kill", "-s", "KILL", "fleet-agent");
      await network().must(host, "sh", "-c", `rm /run/systemd/system/${name}; systemctl daemon-reload`);
      await cluster.ok("start", name);
      expect(await cluster.activeOn(name)).toEqual([host]);
    }
  });

  it("restarting the API restarts no unit and loses no connection attempt", async () => {
    const before = await startSome();
    const asking = Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await new Promise((resolve) => setTimeout(resolve, index * 50));
        return cluster.fleetctl("--request-timeout=10", "list-machines", "--no-legend");
      }),
    );
    await network().must(1, "systemctl", "restart", "fleet-api");
    const answers = await asking;
    expect(answers.filter(({ code }) => code !== 0).map(({ stderr }) => stderr)).toEqual([]);
    expect(await where()).toEqual(before);
  });

  it("etcd going away for longer than agent_ttl and coming back stops nothing; the API says 503 meanwhile", async () => {
    const before = await startSome();
    await cluster.cluster.killEtcd();
    await cluster.until("the API to say so", async () => (await cluster.api.send("GET", "/machines")).status === 503);
    const { text } = await cluster.api.send("GET", "/units");
    expect(JSON.parse(text)).toEqual({ error: { code: 503, message: "fleet server unable to communicate with etcd" } });
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // longer than agent_ttl
    expect(await where()).toEqual(before);
    await cluster.cluster.startEtcd();
    await cluster.until("the API to be back", async () => (await cluster.api.send("GET", "/machines")).status === 200);
    await place("after-etcd.service");
    expect(await where()).toEqual(before);
  });

  it("the D-Bus daemon going away and coming back stops nothing, and units can be started again", async () => {
    const before = await startSome();
    await network().must(3, "systemctl", "kill", "-s", "KILL", "dbus");
    const id = network().hosts.get(3)?.machineID;
    await cluster.ok("start", cluster.file("after-dbus.service", `${SLEEP}[X-Fleet]\nMachineID=${id}\n`));
    expect(await cluster.hostOf("after-dbus.service")).toBe(3);
    expect(await where()).toEqual(before);
  });

  it("a unit whose stop hangs holds up no other", async () => {
    const id = network().hosts.get(2)?.machineID;
    const stop = "/bin/sh -c 'until test -e /run/may-stop; do sleep 0.1; done'";
    const slow = `[Service]\nExecStart=/bin/sleep infinity\nExecStop=${stop}\n[X-Fleet]\nMachineID=${id}\n`;
    await cluster.ok("start", cluster.file("slow.service", slow));
    await cluster.ok("unload", "--no-block", "slow");
    await cluster.ok("start", cluster.file("quick.service", `${SLEEP}[X-Fleet]\nMachineID=${id}\n`));
    expect(await cluster.show(2, "slow.service", "ActiveState")).toBe("deactivating");
    await network().must(2, "touch", "/run/may-stop");
  });
});

describe("many units that are started at once", () => {
  it("are heard of by the ends of their jobs only, and what happens to them later is told at once", async () => {
    const id = network().hosts.get(2)?.machineID;
    const files = Array.from({ length: 30 }, (_, index) =>
      cluster.file(`burst${index}.service`, `${SLEEP}[X-Fleet]\nMachineID=${id}\n`),
    );
    const rule =
      "type='signal',interface='org.freedesktop.DBus.Properties',path_namespace='/org/freedesktop/systemd1/unit'";
    const monitor = `exec busctl monitor --match="${rule}" >/run/signals 2>/run/listening`;
    await network().must(2, "systemd-run", "-q", "--unit=signals", "sh", "-c", monitor);
    const isListening = async (): Promise<boolean> =>
      (await network().exec(2, ["cat", "/run/listening"])).stdout.includes("Monitoring");
    await cluster.until("busctl to listen", isListening);
    // An agent that sleeps for a moment finds them all at once.
    await network().must(2, "systemctl", "kill", "-s", "STOP", "fleet-agent");
    await cluster.ok("start", "--no-block", ...files);
    const placed = async (): Promise<number> =>
      (await cluster.ok("list-unit-files", "--no-legend", "--fields=target")).split(id?.slice(0, 8) ?? "").length - 1;
    await cluster.until("all to be placed", async () => (await placed()) === files.length);
    await network().must(2, "systemctl", "kill", "-s", "CONT", "fleet-agent");
    await cluster.ok("start", ...files);
    await network().must(2, "systemctl", "stop", "signals");
    // While anybody has subscribed, systemd writes six of each unit that starts: here of the first few only.
    const signals = (await network().must(2, "cat", "/run/signals")).match(/Path=\S+burst/g) ?? [];
    expect(signals.length).toBeLessThan(files.length * 3);
    // Sooner than the agent looks at everything by itself.
    await network().must(2, "systemctl", "kill", "-s", "KILL", "burst29");
    const isFailed = async (): Promise<boolean> =>
      /burst29\.service\tfailed/.test(await cluster.ok("list-units", "--no-legend", "--fields=unit,active"));
    await cluster.until("the API to say so", isFailed, 15_000);
  });
});

describe("an agent that is started", () => {
  it("is called started once its machine is in the registry", async () => {
    await network().must(3, "systemctl", "stop", "fleet-agent");
    const registered = (): Promise<string> =>
      network().inside(
        "env",
        "ETCDCTL_API=3",
        "etcdctl",
        `--endpoints=${cluster.cluster.etcdURL}`,
        "get",
        "",
        "--prefix",
        "--keys-only",
      );
    const key = `/machines/${network().hosts.get(3)?.machineID}`;
    expect(await registered()).not.toContain(key);
    await network().must(3, "systemctl", "start", "fleet-agent");
    expect(await registered()).toContain(key);
  });

  it("is called started after a while where its machine can't be in the registry", async () => {
    await network().must(3, "systemctl", "stop", "fleet-agent");
    await cluster.cluster.killEtcd();
    try {
      const startedAt = performance.now();
      await network().must(3, "systemctl", "start", "fleet-agent");
      // It is waited for, but not for ever.
      expect(performance.now() - startedAt).toBeGreaterThan(4_000);
    } finally {
      await cluster.cluster.startEtcd();
    }
  });
});

describe("a host whose /run is full", () => {
  const must = (...command: string[]): Promise<string> => network().must(3, ...command);

  /** Destroys an enabled unit while systemd can't reload; returns how /run is made as large as it was. */
  async function destroyWhileFull(): Promise<readonly string[]> {
    const text = `${SLEEP}[Install]\nWantedBy=multi-user.target\n[X-Fleet]\nMachineMetadata=host=h3\n`;
    await cluster.ok("start", cluster.file("wants.service", text));
    const size = (await must("sh", "-c", "findmnt -no OPTIONS /run | grep -o 'size=[^,]*'")).trim();
    await must("sh", "-c", "mount -o remount,size=$(df --output=used -k /run | tail -n 1 | tr -d ' ')k /run");
    await cluster.ok("destroy", "wants.service");
    await cluster.until("its file to be gone", async () => !(await must("ls", "/run/fleet/units")).includes("wants"));
    expect(await cluster.show(3, "wants.service", "LoadState")).toBe("loaded");
    return ["mount", "-o", `remount,${size}`, "/run"];
  }
  const forgotten = (): Promise<void> =>
    cluster.until(
      "systemd to forget it",
      async () => (await cluster.show(3, "wants.service", "LoadState")) === "not-found",
    );

  it("forgets an enabled unit that was destroyed meanwhile, as soon as systemd lets it", async () => {
    const grow = await destroyWhileFull();
    await must(...grow);
    await forgotten();
  });
  it("does so also where its agent was killed before", async () => {
    const grow = await destroyWhileFull();
    await must("systemctl", "kill", "-s", "STOP", "fleet-agent"); // so that it does not do it itself
    await must(...grow);
    await must("systemctl", "kill", "-s", "KILL", "fleet-agent");
    await forgotten();
  });
});

describe("a unit that is masked by hand", () => {
  it("is taken away whole when it is destroyed, and comes back when it is started anew", async () => {
    const where = "[X-Fleet]\nMachineMetadata=host=h3\n";
    const wanted = cluster.file("masked-wanted.service", `${SLEEP}[Install]\nWantedBy=multi-user.target\n${where}`);
    const files = [cluster.file("masked-plain.service", SLEEP + where), wanted];
    const names = ["masked-plain.service", "masked-wanted.service"];
    await cluster.ok("start", ...files);
    await network().must(3, "systemctl", "mask", ...names);
    await cluster.ok("destroy", ...names);
    const states = (): Promise<string> => cluster.ok("list-units", "--no-legend", "--fields=unit");
    await cluster.until("their states to be gone", async () => !(await states()).includes("masked-"));
    // What the operator did is not undone.
    expect(await cluster.show(3, "masked-plain.service", "LoadState")).toBe("masked");
    await network().must(3, "systemctl", "unmask", ...names);
    const folders = ["/run/fleet/units", "/run/systemd/system", "/etc/systemd/system"];
    expect(await network().must(3, "find", ...folders, "-name", "masked-*")).toBe("");
    await cluster.ok("start", ...files);
    expect(await cluster.show(3, "masked-wanted.service", "UnitFileState")).toBe("enabled-runtime");
  });
});

describe("units that are destroyed together", () => {
  it("are taken away whole, also where the file of one was removed by hand", async () => {
    const where = "[X-Fleet]\nMachineMetadata=host=h3\n";
    const names = Array.from({ length: 12 }, (_, index) => `together-${index}.service`);
    await cluster.ok("load", ...names.map((name) => cluster.file(name, SLEEP + where)));
    const removed = names.slice(0, 6).flatMap((name) => [`/run/systemd/system/${name}`, `/run/fleet/units/${name}`]);
    await network().must(3, "sh", "-c", `rm ${removed.join(" ")} && systemctl daemon-reload`);
    // An agent that sleeps for a moment finds them all at once.
    await network().must(3, "systemctl", "kill", "-s", "STOP", "fleet-agent");
    await cluster.ok("destroy", "--no-block", ...names);
    await network().must(3, "systemctl", "kill", "-s", "CONT", "fleet-agent");
    const states = (): Promise<string> => cluster.ok("list-units", "--no-legend", "--fields=unit");
    await cluster.until("their states to be gone", async () => !(await states()).includes("together-"));
    expect(await network().must(3, "find", "/run/fleet/units", "/run/systemd/system", "-name", "together-*")).toBe("");
  });
});

describe("an etcd of three members", () => {
  it("loses its leader while units are being started: each is started once, and stays", async () => {
    const three = await TestCluster.start(THREE_HOSTS, "agent_ttl=5s", 3);
    try {
      const names = Array.from({ length: 40 }, (_, index) => `many${index}.service`);
      const files = names.map((name) => three.file(name, SLEEP));
      const starting = three.fleetctl("start", ...files);
      const leader = await three.cluster.etcdLeader();
      await three.cluster.signalMember(leader, "KILL");
      // A client that is told to try again later does so; what it asks for twice happens once.
      await starting;
      const startAgain = async (): Promise<boolean> => (await three.fleetctl("start", ...files)).code === 0;
      await three.until("all to be taken", startAgain, 60_000);
      await three.until("another leader", async () => (await three.cluster.etcdLeader()) !== leader);
      const isActive = async (): Promise<number> =>
        ((await three.ok("list-units", "--no-legend", "--fields=unit,active")).match(/\tactive/g) ?? []).length;
      await three.until("all to be active", async () => (await isActive()) === names.length);
      const { network } = three.cluster;
      for (const index of network.hosts.keys()) {
        const journal = await network.must(index, "journalctl", "--no-pager", "-o", "cat", "-u", "many*.service");
        const started = journal.match(/Started many\d+\.service/g) ?? [];
        expect(started.length).toBe(new Set(started).size);
        expect(journal).not.toContain("Stopped many");
      }
    } finally {
      await three.stop();
    }
  }, 120_000);
});

describe("a machine that is gone", () => {
  it("has its units run elsewhere after the TTL, and gets none of them back twice", async () => {
    const before = await startSome();
    const lost = units.filter((unit) => before.get(unit)?.host === 3);
    expect(lost.length).toBeGreaterThan(0);
    await network().killHost(3);
    await cluster.until("the units to run elsewhere", async () => {
      const hosts = await Promise.all(
        lost.map(async (unit) => {
          const found: number[] = [];
          for (const index of [1, 2])
            if ((await cluster.show(index, unit, "ActiveState")) === "active") found.push(index);
          return found.length;
        }),
      );
      return hosts.every((count) => count === 1);
    });
    expect((await cluster.ok("list-machines", "--no-legend")).trim().split("\n")).toHaveLength(2);
    for (const unit of units.filter((name) => !lost.includes(name))) {
      const { host, invocation } = before.get(unit) as { host: number; invocation: string };
      expect(await cluster.show(host, unit, "InvocationID")).toBe(invocation);
    }
    const host = await network().startHost(3, cluster.cluster.hostOptions(3));
    await cluster.cluster.ready(host);
    await cluster.until(
      "the machine to be back",
      async () => (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === 3,
    );
    for (const unit of units) expect(await cluster.activeOn(unit)).toHaveLength(1);
  });

  it("leaves gracefully when its agent is stopped: its units move at once", async () => {
    await startSome();
    await network().must(3, "systemctl", "stop", "fleet-agent");
    expect(await cluster.show(3, "fleet-agent", "Result")).toBe("success");
    expect(await network().must(3, "ls", "/run/fleet/units")).toBe("");
    await cluster.until("all units to run on the others", async () => {
      for (const unit of units) if ((await cluster.activeOn(unit)).length !== 1) return false;
      return true;
    });
    await network().must(3, "systemctl", "start", "fleet-agent");
  });

  it("that is only cut off keeps its units running, and gives up what moved away when it is back", async () => {
    const before = await startSome();
    const mine = units.filter((unit) => before.get(unit)?.host === 3);
    await network().cut(3);
    await cluster.until(
      "the cluster to see it gone",
      async () => (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === 2,
    );
    for (const unit of mine) expect(await cluster.show(3, unit, "ActiveState")).toBe("active");
    await network().heal(3);
    await cluster.until(
      "each unit to run once",
      async () => {
        for (const unit of mine) if ((await cluster.activeOn(unit)).length !== 1) return false;
        return (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === 3;
      },
      45_000,
    );
  });
});
