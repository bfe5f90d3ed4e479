import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BIN, ROOT } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

/** h1 is the bastion: the only host that this machine reaches. The API listens there, and on h3 for the hosts alone. */
const BASTION = 1;
let cluster: TestCluster;
let agentPID: string;
let environment: Record<string, string>;
let bastion: string;
let knownHosts: string;

beforeAll(async () => {
  cluster = await TestCluster.start([
    { agent: true, engine: true, api: true },
    { agent: true, engine: true },
    { agent: true, api: true },
  ]);
  const { network } = cluster.cluster;
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(cluster.folder, "key")]);
  const key = readFileSync(join(cluster.folder, "key.pub"), "utf8");
  const started = execFileSync("ssh-agent", ["-s"], { encoding: "utf8" });
  agentPID = /SSH_AGENT_PID=(\d+)/.exec(started)?.[1] ?? "";
  const socket = /SSH_AUTH_SOCK=([^;]+)/.exec(started)?.[1] ?? "";
  environment = { SSH_AUTH_SOCK: socket };
  execFileSync("ssh-add", ["-q", join(cluster.folder, "key")], { env: { ...process.env, ...environment } });
  const setUp = `set -e
    useradd --create-home --shell /bin/bash --groups systemd-journal core
    getent group fleet >/dev/null && usermod -aG fleet core
    install -d -m 700 -o core -g core /home/core/.ssh
    cat >/home/core/.ssh/authorized_keys
    chown core:core /home/core/.ssh/authorized_keys
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    mkdir -p /run/sshd
    systemd-run --quiet --unit=test-sshd /usr/sbin/sshd -D -h /etc/ssh/ssh_host_ed25519_key -p 22 -p 2222`;
  for (const index of network.hosts.keys()) {
    const { code, stderr } = await network.exec(index, ["bash", "-c", setUp], { input: key });
    if (code !== 0) throw new Error(`h${index}: sshd could not be set up: ${stderr}`);
    await cluster.until("sshd to listen", async () => (await network.must(index, "ss", "-Hltn")).includes(":22 "));
    // From here on only the bastion answers this machine.
    if (index !== BASTION) await network.must(index, "ip", "route", "add", "blackhole", `${network.prefix}.1/32`);
  }
  bastion = `${network.prefix}.${10 + BASTION}`;
  knownHosts = join(cluster.folder, ".fleetctl/known_hosts");
});
afterAll(async () => {
  if (agentPID) process.kill(Number(agentPID));
  await cluster?.stop();
});
beforeEach(() => rmSync(join(cluster.folder, ".fleetctl"), { recursive: true, force: true }));

/** fleetctl through the bastion, that trusts whatever key a host shows. */
const through = (...args: string[]) =>
  cluster.fleetctlWith(
    { env: { ...environment, FLEETCTL_ENDPOINT: "unix:///run/fleet.sock" } },
    `--tunnel=${bastion}`,
    "--strict-host-key-checking=false",
    ...args,
  );
const address = (index: number): string => `${cluster.cluster.network.prefix}.${10 + index}`;
const idOf = (index: number): string => cluster.cluster.network.hosts.get(index)?.machineID ?? "";
const pinned = (index: number, text = SLEEP): string => `${text}[X-Fleet]\nMachineID=${idOf(index)}\n`;

describe("through a bastion, the only host that is reached", () => {
  it("the API on a UNIX socket does everything", async () => {
    expect((await through("list-machines", "--no-legend", "--fields=ip")).stdout).toBe(
      `${address(1)}\n${address(2)}\n${address(3)}\n`,
    );
    const started = await through("start", cluster.file("far.service", pinned(2)));
    expect(started).toMatchObject({ code: 0, stderr: "" });
    expect(started.stdout).toMatch(/Unit far\.service launched on /);
    expect((await through("cat", "far")).stdout).toBe(pinned(2));
    expect((await through("destroy", "far")).stdout).toBe("Destroyed far.service\n");
  });
  it("the API on a TCP endpoint of another host behind it is reached too", async () => {
    const { code, stdout } = await cluster.fleetctlWith(
      { env: environment },
      ...[`--tunnel=core@${bastion}:2222`, `--endpoint=http://${address(3)}:49153`],
      ...["--strict-host-key-checking=false", "list-machines", "--no-legend"],
    );
    expect({ code, lines: stdout.trim().split("\n").length }).toEqual({ code: 0, lines: 3 });
  });
  it("a user of the tunnel's own is the one who logs in there", async () => {
    const { code, stderr } = await cluster.fleetctlWith(
      { env: { ...environment, FLEETCTL_ENDPOINT: "unix:///run/fleet.sock" } },
      ...[`--tunnel=nobody-here@${bastion}`, "--strict-host-key-checking=false", "list-machines"],
    );
    expect(code).toBe(1);
    expect(stderr).toContain("nobody-here@");
  });
  it("ssh takes its own flags behind the machine, and a command's from its first word on", async () => {
    expect((await through("ssh", idOf(2), "--ssh-port", "2222", "uname", "-n")).stdout).toBe("h2\n");
  });
  it("ssh runs a command on a machine behind it, and passes its exit code on", async () => {
    expect(await through("ssh", idOf(2).slice(0, 6), "hostname; exit 7")).toMatchObject({ code: 7, stdout: "h2\n" });
    expect(await through("ssh", "--machine", idOf(3), "whoami")).toMatchObject({ code: 0, stdout: "core\n" });
  });
  it("ssh finds the machine of a unit, by name and by --unit", async () => {
    await through("start", cluster.file("there.service", pinned(3)));
    expect((await through("ssh", "there.service", "hostname")).stdout).toBe("h3\n");
    expect((await through("ssh", "--unit", "there", "hostname")).stdout).toBe("h3\n");
    await through("destroy", "there");
  });
  it("several words with --quote are one command, and none of them becomes code", async () => {
    const words = ["a b", "$(id)", "`id`", "; id", "'", '"', "*", "-n", "\\", "ä", "\n"];
    const { stdout } = await through("ssh", "--quote", "--machine", idOf(2), "printf", "<%s>", ...words);
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(""));
  });
  it("status shows systemd's words, with its exit code, and an empty line between units", async () => {
    await through("start", cluster.file("one.service", pinned(2)), cluster.file("two.service", pinned(3)));
    const both = await through("status", "--no-block", "one", "two");
    expect(both.code).toBe(0);
    expect(both.stdout).toMatch(/● one\.service.*Active: active.*\n\n● two\.service.*Active: active/s);
    await through("stop", "two");
    expect((await through("status", "two")).code).toBe(3);
    expect(await through("status", "no-such")).toMatchObject({
      code: 1,
      stderr: "Error: Unit no-such.service does not exist. No machine is called no-such either.\n",
    });
    await through("unload", "two");
    const unloaded = await through("status", "two");
    expect(unloaded.code).toBe(1);
    expect(unloaded.stderr).toContain("Unit two.service does not appear to be loaded.\n");
    const [json] = JSON.parse((await through("status", "--output", "json", "one")).stdout) as [object];
    expect(json).toMatchObject({ unit: "one.service", machineID: idOf(2), states: [{ active: "active" }] });
    // It says it again and again: of a process that is gone when journald looks, the words are nobody's.
    const script = "for i in 1 2 3 4 5 6; do echo no luck; sleep 0.3; done; exit 7";
    const failing = `[Service]\nType=oneshot\nExecStart=/bin/sh -c '${script}'\n`;
    await through("start", cluster.file("fails.service", pinned(2, failing)));
    await cluster.until("it to fail", async () => (await cluster.show(2, "fails", "ActiveState")) === "failed");
    const whole = /Active: failed.*status=7.*no luck/s;
    await cluster.until("its words", async () => whole.test((await through("status", "fails")).stdout));
    expect((await through("status", "fails")).code).toBe(3);
    await through("destroy", "one", "two", "fails");
  });
  it("journal prints a unit's lines, as many as asked for, in the format asked for", async () => {
    const text =
      "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'for n in 1 2 3 4; do echo word-$n; done'\n";
    await through("start", cluster.file("talk.service", pinned(2, text)));
    await cluster.until("the journal to have it", async () =>
      (await through("journal", "--lines", "100", "talk")).stdout.includes("word-4"),
    );
    const { stdout } = await through("journal", "--output", "cat", "--lines=3", "talk");
    expect(stdout.trim().split("\n")).toHaveLength(3);
    expect((await through("journal", "no-such")).stderr).toBe("Error: Unit no-such.service does not exist.\n");
    expect((await through("journal", "--output", "$(id)", "talk")).stderr).toContain("invalid --output");
    await through("destroy", "talk");
  });
  it("journal merges machines, and follows each after its last line", async () => {
    const text = "[Service]\nExecStart=/bin/sh -c 'n=0; while :; do n=$((n+1)); echo %N-$n; sleep 0.2; done'\n";
    const files = [cluster.file("left.service", pinned(2, text)), cluster.file("right.service", pinned(3, text))];
    await through("start", ...files);
    const flags = ["-f", "--since", "-1h", "-o", "cat", "--no-prefix", "--ssh"];
    const tunnel = [`--tunnel=${bastion}`, "--strict-host-key-checking=false"];
    const child = spawn(join(BIN, "fleetctl"), [...tunnel, "journal", ...flags, "left", "right"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...{ ...environment, FLEETCTL_ENDPOINT: "unix:///run/fleet.sock", HOME: cluster.folder },
        PATH: process.env.PATH ?? "",
      },
    });
    let printed = "";
    child.stdout.on("data", (chunk) => {
      printed += chunk;
    });
    const numbersOf = (unit: string) =>
      [...printed.matchAll(new RegExp(`^${unit}-(\\d+)$`, "gm"))].map(([, number]) => Number(number));
    // The past alone is over at once: later lines are those that are followed.
    await cluster.until("lines of both", () =>
      ["left", "right"].every((unit) => (numbersOf(unit).at(-1) ?? 0) > 25 && numbersOf(unit).length > 25),
    );
    child.kill("SIGINT");
    for (const unit of ["left", "right"])
      expect(numbersOf(unit)).toEqual(Array.from(numbersOf(unit), (_number, index) => index + 1));
    const found = await through("journal", "-g", "-[0-9]$", "-n", "4", "-o", "short-unix", "--prefix", "left", "right");
    const times = found.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("| ")[1]?.split(" ")[0]);
    expect(times).toHaveLength(4);
    expect(times).toEqual(times.toSorted());
    await through("destroy", "left", "right");
  });
  it("top shows machines and their units, without a link", async () => {
    const text = "[Service]\nExecStart=/bin/sleep infinity\n";
    const files = [cluster.file("second.service", pinned(2, text)), cluster.file("third.service", pinned(3, text))];
    await through("start", ...files);
    const { code, stdout, stderr } = await through("top", "--once", "second", "third");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const host of ["h1", "h2", "h3"]) expect(stdout).toMatch(new RegExp(`^${host} +[\\d.]+ +\\d+ +[\\d.]+ `, "m"));
    expect(stdout).toMatch(/^second\.service +h2 +running +[\d.]+ /m);
    expect(stdout).toMatch(/^third\.service +h3 +running +[\d.]+ /m);
    await through("destroy", "second", "third");
  });
});

describe("the key scripts of deploy/ssh", () => {
  const script = (name: string, input: string, ...args: string[]) =>
    spawnSync(join(ROOT, "deploy/ssh", name), [...args, `--tunnel=${bastion}`, "--strict-host-key-checking=false"], {
      input,
      encoding: "utf8",
      env: {
        ...environment,
        PATH: process.env.PATH,
        HOME: cluster.folder,
        FLEETCTL: join(BIN, "fleetctl"),
        FLEETCTL_ENDPOINT: "unix:///run/fleet.sock",
      },
    });
  const keys = (index: number) => cluster.cluster.network.must(index, "cat", "/home/core/.ssh/authorized_keys");
  const newKey = (name: string): string => {
    const file = join(cluster.folder, name);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "me at home", "-f", file]);
    return readFileSync(`${file}.pub`, "utf8");
  };
  it("spread a key over all machines, once, and take it away again", async () => {
    const key = newKey("mine");
    for (let round = 0; round < 2; round++) {
      const { status, stdout } = script("fleetctl-inject-ssh.sh", key, "simon");
      expect({ status, lines: stdout.trim().split("\n").length }).toEqual({ status: 0, lines: 3 });
    }
    for (const index of [1, 2, 3]) expect((await keys(index)).match(/ fleet:simon$/gm)).toHaveLength(1);
    expect(script("fleetctl-remove-ssh.sh", "", "simon").status).toBe(0);
    for (const index of [1, 2, 3]) expect(await keys(index)).not.toContain("fleet:simon");
    expect((await through("ssh", "--machine", idOf(3), "true")).code).toBe(0);
  });
  it("take off the key of the name alone, not of one that looks like it", async () => {
    const key = newKey("another");
    for (const name of ["a.b", "axb"]) expect(script("fleetctl-inject-ssh.sh", key, name).status).toBe(0);
    expect(script("fleetctl-remove-ssh.sh", "", "a.b").status).toBe(0);
    for (const index of [1, 2, 3]) expect((await keys(index)).match(/ fleet:a.b$/gm)).toEqual([" fleet:axb"]);
    expect(script("fleetctl-remove-ssh.sh", "", "axb").status).toBe(0);
  });
  it("refuse what is no key and no name", () => {
    expect(script("fleetctl-inject-ssh.sh", "nonsense\n", "simon")).toMatchObject({
      status: 1,
      stderr: "Error: standard input does not hold a public SSH key\n",
    });
    expect(script("fleetctl-inject-ssh.sh", "ssh-ed25519 AAAA\n", "a;b").stderr).toContain('invalid name "a;b"');
  });
});

describe("host keys", () => {
  const ask = (input: string | null, ...args: string[]) =>
    cluster.fleetctlWith(
      { env: { ...environment, FLEETCTL_ENDPOINT: "unix:///run/fleet.sock" }, input },
      `--tunnel=${bastion}`,
      ...args,
    );
  it("of a new host are asked about, and remembered in this tool's own file", async () => {
    const asked = await ask("yes", "list-machines", "--no-legend");
    expect(asked.stderr).toContain("authenticity of host");
    expect({ code: asked.code, lines: asked.stdout.trim().split("\n").length }).toEqual({ code: 0, lines: 3 });
    expect(existsSync(knownHosts)).toBe(true);
    const again = await ask(null, "list-machines", "--no-legend");
    expect(again).toMatchObject({ code: 0, stderr: "" });
  });
  it("that are not trusted end it, with nothing done", async () => {
    const refused = await ask("no", "list-machines");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("Host key verification failed");
    expect((await ask(null, "list-machines")).code).toBe(1);
  });
  it("that have changed abort", async () => {
    const other = execFileSync("ssh-keygen", ["-y", "-f", join(cluster.folder, "key")], { encoding: "utf8" }).trim();
    mkdirSync(join(cluster.folder, ".fleetctl"));
    writeFileSync(knownHosts, `${bastion} ${other}\n`);
    const aborted = await ask("yes", "list-machines");
    expect(aborted.code).toBe(1);
    expect(aborted.stderr).toContain("REMOTE HOST IDENTIFICATION HAS CHANGED");
    expect(aborted.stdout).toBe("");
    expect((await through("list-machines", "--no-legend")).code).toBe(0);
  });
});

describe("what can't be reached", () => {
  it("is given up after --ssh-timeout", async () => {
    const startedAt = performance.now();
    const { code, stderr } = await cluster.fleetctlWith(
      { env: environment },
      ...["--tunnel=192.0.2.1", "--ssh-timeout=1", "--strict-host-key-checking=false", "list-machines"],
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/192\.0\.2\.1/);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
  it("is told apart from what is not there", async () => {
    expect((await through("ssh", "ffffffff", "true")).stderr).toBe('Error: no machine or unit "ffffffff" exists\n');
    const [first = ""] = [idOf(1), idOf(2), idOf(3)].map((id) => id.slice(0, 1));
    expect((await through("ssh", first, "true")).stderr).toContain("is ambiguous");
  });
});

describe("without a tunnel", () => {
  it("a unit of this machine is shown without SSH", async () => {
    await through("start", cluster.file("local.service", pinned(BASTION)));
    const { network } = cluster.cluster;
    const shown = await network.exec(BASTION, ["fleetctl", "--endpoint=unix:///run/fleet.sock", "status", "local"]);
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining("● local.service") });
    await through("destroy", "local");
  });
  it("fd-forward joins standard input and output with a socket", async () => {
    const request = "GET /fleet/v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const { stdout, code } = await cluster.cluster.network.exec(
      BASTION,
      ["fleetctl", "fd-forward", "/run/fleet.sock"],
      {
        input: request,
      },
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(stdout).toContain(idOf(1));
    const missing = await cluster.cluster.network.exec(BASTION, ["fleetctl", "fd-forward", "/nowhere"]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("socket /nowhere can't be used") });
  });
});
