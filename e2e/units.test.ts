import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start([
    { agent: true, engine: true, api: true, config: "units_directory=/run/elsewhere/units" },
  ]);
});
afterAll(() => cluster?.stop());

const show = (unit: string, property: string): Promise<string> => cluster.show(1, unit, property);

describe("the systemd units of deploy/", () => {
  it.each([
    ["fleet-engine", 3],
    ["fleet-api", 3],
    ["fleet-agent", 6.5],
  ])("%s has an exposure of %d at most, by systemd's own measure", async (unit, most) => {
    const { stdout, code, stderr } = await cluster.cluster.network.exec(1, [
      ...["systemd-analyze", "security", "--no-pager", `--threshold=${most * 10}`, `${unit}.service`],
    ]);
    const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1];
    expect({ exposure: Number(exposure) <= most, code, stderr }).toEqual({ exposure: true, code: 0, stderr: "" });
  });
  it.each(["fleet-engine", "fleet-api"])("%s runs as nobody in particular", async (unit) => {
    const pid = await show(`${unit}.service`, "MainPID");
    const status = await cluster.cluster.network.must(1, "cat", `/proc/${pid}/status`);
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).not.toBe("0");
    expect(/^CapBnd:\s+(\w+)/m.exec(status)?.[1]).toBe("0000000000000000");
  });
  it.each(["fleet-agent", "fleet-engine", "fleet-api"])(
    "%s is restarted when it hangs, by its watchdog",
    async (unit) => {
      const name = `${unit}.service`;
      const dropIn = `/run/systemd/system/${name}.d/soon.conf`;
      const { network } = cluster.cluster;
      await network.must(
        1,
        "bash",
        "-c",
        `mkdir -p ${dropIn.replace("/soon.conf", "")} && printf '[Service]\\nWatchdogSec=8\\n' >${dropIn} && systemctl daemon-reload && systemctl restart ${name}`,
      );
      const before = await show(name, "MainPID");
      // Fed in time it goes on.
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      expect(await show(name, "MainPID")).toBe(before);
      await network.must(1, "kill", "-STOP", before);
      await cluster.until(
        "systemd to replace it",
        async () => {
          const now = await show(name, "MainPID");
          return now !== before && now !== "0" && (await show(name, "ActiveState")) === "active";
        },
        60_000,
      );
      await cluster.until("systemd's own word of it", async () =>
        (await network.must(1, "journalctl", "-u", name, "--no-pager", "-o", "cat")).includes("Watchdog timeout"),
      );
    },
  );
});

describe("a TCP socket that others reach without TLS", () => {
  it("is warned of in the journal, at the journal's own level, and counted", async () => {
    const journal = (...args: string[]): Promise<string> =>
      cluster.cluster.network.must(1, "journalctl", "-u", "fleet-api", "-o", "cat", "--no-pager", ...args);
    await cluster.until("the API to say that it serves", async () =>
      (await journal("-p", "info")).includes("listening"),
    );
    const warnings = await journal("-p", "warning");
    expect(warnings).toMatch(/\b0\.0\.0\.0|\[::\]|without TLS/);
    expect(warnings).not.toContain("listening");
    const metrics = await (await fetch(`${cluster.cluster.endpoint()}/metrics`)).text();
    expect(metrics).toMatch(/^fleet_api_insecure_listeners 1$/m);
  });
});

describe("units_directory", () => {
  it("is where unit files are written, and nowhere else", async () => {
    await cluster.ok("start", cluster.file("elsewhere.service", SLEEP));
    const { network } = cluster.cluster;
    expect((await network.must(1, "ls", "/run/elsewhere/units")).trim()).toBe("elsewhere.service");
    expect(await show("elsewhere.service", "ActiveState")).toBe("active");
    expect((await network.exec(1, ["ls", "/run/fleet/units"])).stdout).toBe("");
    await cluster.ok("destroy", "elsewhere.service");
    expect((await network.must(1, "ls", "/run/elsewhere/units")).trim()).toBe("");
  });
});
