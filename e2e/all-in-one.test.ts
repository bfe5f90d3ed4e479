import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start([{ all: true }], "agent_ttl=30s");
});
afterAll(() => cluster?.stop());
beforeEach(async () => {
  await host(
    "sh",
    "-c",
    `printf '%s' '${SLEEP}' >/root/one.service; systemctl start fleet.service; fleetctl --request-timeout=20 start /root/one.service`,
  );
});
const host = (...command: string[]): Promise<string> => cluster.cluster.network.must(1, ...command);

describe("fleetd as one process", () => {
  it("is one process of that name, which does all three parts' work behind its socket", async () => {
    expect((await host("pidof", "fleetd")).trim()).toMatch(/^\d+$/);
    expect(await cluster.show(1, "one.service", "ActiveState")).toBe("active");
    expect((await host("fleetctl", "list-units", "--no-legend", "--fields=unit,active")).trim()).toBe(
      "one.service\tactive",
    );
    expect((await host("stat", "-c", "%a", "/run/fleet.sock")).trim()).toBe("660");
  });
  it.each([
    ["the file is away", "mv /etc/fleet/fleet.conf /etc/fleet/away", "is missing or has no option any more"],
    [
      "a value is wrong",
      "cp /etc/fleet/fleet.conf /etc/fleet/away; echo token_limit=0 >>/etc/fleet/fleet.conf",
      "option token_limit",
    ],
  ])("a reload fails and says why where %s, and works again after that", async (_what, breakIt, why) => {
    const reload = "systemctl reload fleet.service && echo done || echo failed";
    expect(await host("sh", "-c", `${breakIt}; ${reload}`)).toContain("failed");
    expect(await host("journalctl", "-b", "--no-pager", "-u", "fleet.service")).toContain(why);
    await cluster.until("status to say it", async () =>
      (await host("systemctl", "show", "-P", "StatusText", "fleet.service")).includes(why),
    );
    const metrics = (): Promise<string> => host("curl", "-s", "--unix-socket", "/run/fleet.sock", "http://x/metrics");
    expect(await metrics()).toContain("fleet_config_last_reload_successful 0\n");
    expect(await host("sh", "-c", `mv /etc/fleet/away /etc/fleet/fleet.conf; ${reload}`)).toContain("done");
    expect(await metrics()).toContain("fleet_config_last_reload_successful 1\n");
  });
  it("loses no request of fleetctl's while socket and service are restarted, and restarts no unit", async () => {
    const before = await cluster.show(1, "one.service", "InvocationID");
    const script = `for n in $(seq 30); do fleetctl --request-timeout=20 list-units --no-legend --fields=unit,active 2>&1; done`;
    // On a busy machine 90 of them take longer than a command on a host otherwise may.
    const limit = { timeoutMs: 150_000 };
    const asking = Promise.all([1, 2, 3].map(() => cluster.cluster.network.exec(1, ["sh", "-c", script], limit)));
    for (let count = 0; count < 3; count++) await host("systemctl", "restart", "fleet.socket", "fleet.service");
    const asked = await asking;
    expect(asked.map(({ code }) => code)).toEqual([0, 0, 0]);
    const answers = asked
      .map(({ stdout }) => stdout)
      .join("")
      .trim()
      .split("\n");
    expect(answers.filter((line) => !line.startsWith("one.service\t"))).toEqual([]);
    expect(answers).toHaveLength(90);
    await cluster.until("its state to be known anew", async () =>
      (await host("fleetctl", "list-units", "--no-legend", "--fields=unit,active")).startsWith("one.service\tactive"),
    );
    expect(await cluster.show(1, "one.service", "InvocationID")).toBe(before);
  });
  it("still has the events of the last hour after a restart, and what it is asked for after a revision", async () => {
    const events = (...more: string[]): Promise<string> => host("fleetctl", "--request-timeout=20", "events", ...more);
    const submitted = (await events("one.service", "--kind", "submitted")).trim();
    await host("systemctl", "restart", "fleet.service");
    expect((await events("one.service", "--kind", "submitted")).trim()).toBe(submitted);
    const revision = /\[revision (\d+)/.exec(submitted)?.[1] ?? "";
    const after = await host("sh", "-c", `fleetctl events --after ${revision} one.service 2>&1`);
    expect(after).toContain("scheduled");
    expect(after).not.toContain("WARNING");
    // The machine left and came back while its API was away.
    expect(await events("--kind", "leader-changed")).toContain("not before");
    expect((await host("stat", "-c", "%a", "/var/lib/fleetd-api/events.jsonl")).trim()).toBe("600");
  });
  it("answers on its socket again after a stop and a start, and keeps units where it is told to", async () => {
    const before = await cluster.show(1, "one.service", "InvocationID");
    await host("sh", "-c", "echo units_on_shutdown=keep >>/etc/fleet/fleet.conf; systemctl reload fleet");
    await cluster.until("the configuration to be read", async () =>
      (await host("journalctl", "-u", "fleet", "-o", "cat")).includes("Reloading configuration"),
    );
    await host("systemctl", "stop", "fleet.service");
    expect(await cluster.show(1, "one.service", "ActiveState")).toBe("active");
    await host("systemctl", "start", "fleet.service");
    await cluster.until("its state to be known anew", async () =>
      (await host("fleetctl", "--request-timeout=20", "list-units", "--no-legend", "--fields=unit,active")).startsWith(
        "one.service\tactive",
      ),
    );
    expect(await cluster.show(1, "one.service", "InvocationID")).toBe(before);
    await host("sh", "-c", "sed -i /units_on_shutdown/d /etc/fleet/fleet.conf; systemctl reload fleet");
  });
  it("keeps its machine in the cluster, and its units where they are, while its loop is held up for 60 s", async () => {
    const conf = "/etc/systemd/system/fleet.service.d/held.conf";
    await host(
      "sh",
      "-c",
      `mkdir -p "$(dirname ${conf})"; printf '[Service]\nEnvironment=FLEET_FAILPOINTS=loop.held=1 FLEET_AGENT_TTL=5s\n' >${conf}
       systemctl daemon-reload; systemctl restart fleet.service`,
    );
    const key = async (name: string): Promise<string> =>
      (await cluster.cluster.etcdctl("get", "--prefix", `/_coreos.com/fleet/${name}/`)).trim();
    const before = await cluster.show(1, "one.service", "InvocationID");
    await cluster.until("the machine to be in the registry", async () => (await key("machines")) !== "");
    const [machine, unit] = [await key("machines"), await key("units")];
    await host("systemctl", "kill", "-s", "USR1", "fleet");
    const isHeld = async (): Promise<boolean> =>
      (await cluster.cluster.network.exec(1, ["fleetctl", "--request-timeout=1", "list-units"])).code !== 0;
    await cluster.until("the loop to be held up", isHeld);
    // Time is what this is about: sixty seconds are twelve times to live of the lease.
    const heldAt = performance.now();
    while (performance.now() - heldAt < 50_000) {
      expect([await key("machines"), await key("units")]).toEqual([machine, unit]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(await isHeld()).toBe(true);
    await cluster.until("the loop to go on", async () => !(await isHeld()), 60_000);
    expect([await key("machines"), await key("units")]).toEqual([machine, unit]);
    expect(await cluster.show(1, "one.service", "InvocationID")).toBe(before);
    await host("sh", "-c", `rm ${conf}; systemctl daemon-reload; systemctl restart fleet.service`);
  }, 180_000);
  it("says its whole state on SIGUSR1, and ends with success on stop, also without etcd", async () => {
    await host("systemctl", "kill", "-s", "USR1", "fleet");
    await cluster.until("the state", async () =>
      (await host("journalctl", "-u", "fleet", "-o", "cat")).includes('"isConnectedToSystemd":true'),
    );
    await cluster.cluster.killEtcd();
    await host("systemctl", "stop", "fleet.service");
    expect(await cluster.show(1, "fleet.service", "Result")).toBe("success");
    await cluster.cluster.startEtcd();
  });
});

describe("a machine that can't run it", () => {
  it("says in one sentence that root is needed, and starts nothing", () => {
    try {
      // Read by this user and run by the other, who may not be allowed to reach it.
      const input = readFileSync(join(ROOT, "scripts/prepare"), "utf8");
      execFileSync("setpriv", ["--reuid=65534", "--clear-groups", "bash", "-s"], {
        encoding: "utf8",
        stdio: "pipe",
        input,
        cwd: "/",
      });
      expect.unreachable();
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: "",
        stderr: "Error: root is needed: local hosts are made of namespaces, mounts and bridges. Run this as root.\n",
      });
    }
  });
});
