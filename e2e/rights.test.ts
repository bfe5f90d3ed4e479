import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

const deployed = (path: string): string => readFileSync(join(ROOT, "deploy", path), "utf8");

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start([
    { engine: true },
    {
      agent: true,
      files: {
        "/usr/share/polkit-1/rules.d/50-fleet.rules": deployed("polkit/50-fleet.rules"),
        "/etc/systemd/system/fleet-agent.service.d/unprivileged.conf": deployed(
          "systemd/fleet-agent.service.d/unprivileged.conf",
        ),
      },
    },
    { files: { "/usr/lib/systemd/user/fleet-agent.service": deployed("systemd/user/fleet-agent.service") } },
    { api: true, config: "link_listen=0.0.0.0:49160" },
  ]);
});
afterAll(() => cluster?.stop());
const on = (index: number, ...command: string[]): Promise<string> => cluster.cluster.network.must(index, ...command);

describe("an agent without root's rights", () => {
  it("does all that an agent does, by the polkit rule", async () => {
    const pid = await cluster.show(2, "fleet-agent.service", "MainPID");
    expect((await on(2, "ps", "-o", "user=", "-p", pid)).trim()).toBe("fleet");
    expect(await on(2, "cat", `/proc/${pid}/status`)).toMatch(/^CapEff:\s+0000000000000000$/m);

    const file = cluster.file("plain.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h2\nOnPartition=stop\n`);
    await cluster.ok("start", file);
    expect(await cluster.show(2, "plain.service", "ActiveState")).toBe("active");
    expect(await cluster.show(2, "plain.service", "UnitFileState")).toBe("linked-runtime");
    const invocation = await cluster.show(2, "plain.service", "InvocationID");

    expect(await cluster.ok("journal", "plain.service")).toContain("Started plain.service");
    expect(await cluster.ok("status", "plain.service")).toContain("Started plain.service");

    await on(2, "systemctl", "restart", "fleet-agent");
    expect(await cluster.show(2, "plain.service", "InvocationID")).toBe(invocation);

    // An [Install] section: enabled, with the reload that this takes.
    const enabled = cluster.file(
      "enabled.service",
      `${SLEEP}[Install]\nWantedBy=multi-user.target\n[X-Fleet]\nMachineMetadata=host=h2\n`,
    );
    await cluster.ok("start", enabled);
    expect(await on(2, "ls", "/run/systemd/system/multi-user.target.wants")).toContain("enabled.service");

    // A new text is loaded, a failed unit is reset, and nothing stays.
    cluster.file("plain.service", `${SLEEP}Environment=A=b\n[X-Fleet]\nMachineMetadata=host=h2\n`);
    await cluster.ok("start", "--replace", file);
    expect(await cluster.show(2, "plain.service", "Environment")).toBe("A=b");
    const failing = cluster.file(
      "fails.service",
      "[Service]\nExecStart=/bin/false\n[X-Fleet]\nMachineMetadata=host=h2\n",
    );
    await cluster.fleetctl("start", "--block-attempts=1", failing);
    await cluster.until("it to fail", async () => (await cluster.show(2, "fails.service", "ActiveState")) === "failed");
    await cluster.ok("destroy", "plain.service", "enabled.service", "fails.service");
    await cluster.until("all to be gone", async () => (await on(2, "ls", "/run/fleet/units")).trim() === "");
    await cluster.until(
      "systemd to hold none of it",
      async () =>
        !/plain|enabled\.service|fails/.test(await on(2, "systemctl", "list-units", "--all", "--no-legend", "--plain")),
    );
  });
  it("says what it may not do where the rule is missing, and makes up for it when it is there", async () => {
    const rule = "/usr/share/polkit-1/rules.d/50-fleet.rules";
    await on(2, "sh", "-c", `mv ${rule} /root/rule && systemctl restart polkit`);
    const file = cluster.file("barred.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h2\n`);
    await cluster.ok("start", "--no-block", file);
    await cluster.until("the reason in its state", async () =>
      /authentication|authoriz|access denied/i.test(await cluster.ok("explain", "barred.service")),
    );
    await on(2, "sh", "-c", `mv /root/rule ${rule} && systemctl restart polkit`);
    const runs = async (): Promise<boolean> => (await cluster.show(2, "barred.service", "ActiveState")) === "active";
    await cluster.until("it to run", runs, 90_000);
    await cluster.ok("destroy", "barred.service");
  });
});

describe("systemd_user=true", () => {
  it("runs units under a user's own systemd, and not under the system's", async () => {
    // logind, which the hosts of these tests do without, makes the user's folder in /run.
    await on(3, "sh", "-c", "rm -f /etc/systemd/system/systemd-logind.service && systemctl daemon-reload");
    await on(3, "useradd", "--create-home", "--uid", "4711", "jo");
    await on(3, "systemctl", "start", "user@4711.service");
    const asJo = (...command: string[]): string[] => [
      ...["runuser", "-u", "jo", "--", "env", "XDG_RUNTIME_DIR=/run/user/4711"],
      ...command,
    ];
    await on(3, ...asJo("systemctl", "--user", "start", "fleet-agent.service"));
    expect((await on(3, "pgrep", "-u", "jo", "-x", "fleetd")).trim()).toMatch(/^\d+$/);

    const file = cluster.file("hers.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h3\nOnPartition=stop\n`);
    await cluster.ok("start", file);
    const show = async (property: string): Promise<string> =>
      (await on(3, ...asJo("systemctl", "--user", "show", "-P", property, "hers.service"))).trim();
    expect(await show("ActiveState")).toBe("active");
    expect(await show("FragmentPath")).toBe("/run/user/4711/systemd/user/hers.service");
    expect((await on(3, "ps", "-o", "user=", "-p", await show("MainPID"))).trim()).toBe("jo");
    expect(await cluster.show(3, "hers.service", "LoadState")).toBe("not-found");
    const invocation = await show("InvocationID");
    await on(3, ...asJo("systemctl", "--user", "restart", "fleet-agent.service"));
    expect(await show("InvocationID")).toBe(invocation);
    // The watchdog is the user's systemd's too.
    const fence = await on(3, ...asJo("systemctl", "--user", "show", "-P", "ActiveState", "fleet-fence.service"));
    expect(fence.trim()).toBe("active");
    await cluster.ok("destroy", "hers.service");
    await cluster.until("it to be gone", async () => (await show("LoadState")) === "not-found");
  });
});
