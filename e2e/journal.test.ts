import type { JournalEntry, JournalNote, UnitStatus, UsageSample } from "@fleet/client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JournalStream } from "../testbed/journal-stream.ts";
import { TestCluster } from "../testbed/test-cluster.ts";

/** Writes a number a line, ten a second, from 1 on in each run. */
const COUNTER = `[Service]
ExecStart=/bin/sh -c 'i=0; while :; do i=$((i+1)); echo "%p %i $i"; sleep 0.1; done'
`;
const LINK = "link_listen=0.0.0.0:49160";

let cluster: TestCluster;
const streams: JournalStream[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start(
    [
      { agent: true, engine: true, api: true, config: LINK },
      { agent: true, engine: true, api: true, config: LINK },
      { agent: true },
    ],
    "agent_ttl=8s",
  );
});
afterAll(() => cluster?.stop());
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await cluster.clear();
});

const network = () => cluster.cluster.network;

function open(query: string, endpoint = cluster.cluster.endpoint()): JournalStream {
  const stream = new JournalStream(`${endpoint}/fleet/v1/journal?${query}`);
  streams.push(stream);
  return stream;
}

/** Starts instances of the counter, each on a host of its own. */
async function startCounters(...instances: readonly string[]): Promise<void> {
  cluster.file("count@.service", `${COUNTER}[X-Fleet]\nConflicts=count@*.service\n`);
  await cluster.ok("start", ...instances.map((instance) => `count@${instance}.service`));
}

/** The numbers that a unit has written, of the entries that were read: on one machine, or on all. */
function numbersOf(stream: JournalStream, unit: string, machineID?: string): readonly number[] {
  return stream.entries
    .filter((entry) => entry.unit === unit && / \d+$/.test(entry.message))
    .filter((entry) => machineID === undefined || entry.machineID === machineID)
    .map(({ message }) => Number(message.split(" ").at(-1)));
}

/** Fails where a run of numbers has a gap or a double; a unit that is started anew begins with 1 again. */
function expectWhole(numbers: readonly number[]): void {
  for (const [index, number] of numbers.entries()) {
    const before = numbers[index - 1];
    if (before !== undefined && number !== before + 1 && number !== 1)
      throw new Error(`${before} is followed by ${number}, at ${index} of ${numbers.length}`);
  }
}

const until = (what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> =>
  cluster.until(what, condition, timeoutMs);

const noteKinds = (notes: readonly JournalNote[]): readonly string[] => notes.map(({ kind }) => kind);

describe("without sshd on any host", () => {
  it("the past of instances on three hosts comes in order of time, and ends", async () => {
    for (const index of [1, 2, 3]) expect((await network().exec(index, ["pgrep", "-x", "sshd"])).code).not.toBe(0);
    await startCounters("1", "2", "3");
    await until("some lines to be there", () => true);
    const stream = open("unit=count@*.service&lines=all");
    await stream.ended;
    expect(stream.end).not.toBeNull();
    const units = new Set(stream.entries.map(({ unit }) => unit));
    expect([...units].sort()).toEqual(["count@1.service", "count@2.service", "count@3.service"]);
    expect(new Set(stream.entries.map(({ machineID }) => machineID)).size).toBe(3);
    const times = stream.entries.map(({ timestamp }: JournalEntry) => timestamp);
    expect(times).toEqual([...times].sort());
    for (const unit of units) expectWhole(numbersOf(stream, unit));
    const last = open("unit=count@*.service&lines=5");
    await last.ended;
    expect(last.entries).toHaveLength(5);
  });

  it("several units are followed; each goes on, and says how it ended", async () => {
    await startCounters("1", "2");
    const stream = open("unit=count@*.service&lines=3&follow=true");
    await until("both to be read", () => numbersOf(stream, "count@2.service").length > 10);
    await cluster.ok("stop", "count@1.service");
    await until("its end to be told", () => noteKinds(stream.notes).includes("ended"));
    await cluster.ok("destroy", "count@1.service", "count@2.service");
    await stream.ended;
    expect(stream.end?.units.map(({ unit }) => unit).sort()).toEqual(["count@1.service", "count@2.service"]);
    for (const unit of ["count@1.service", "count@2.service"]) expectWhole(numbersOf(stream, unit));
  });

  it("a unit that moves is followed to its new machine, without a gap or a double line", async () => {
    await startCounters("moving");
    const stream = open("unit=count@moving.service&lines=all&follow=true");
    await until("it to be read", () => numbersOf(stream, "count@moving.service").length > 10);
    const from = await cluster.hostOf("count@moving.service");
    await cluster.ok("drain", network().hosts.get(from)?.machineID ?? "");
    await until("the move to be told", () => noteKinds(stream.notes).includes("moved"));
    const moved = stream.notes.find(({ kind }) => kind === "moved")?.machineID;
    await until("lines of the new machine", () =>
      stream.entries.some(({ machineID, message }) => machineID === moved && / 10$/.test(message)),
    );
    await cluster.ok("uncordon", network().hosts.get(from)?.machineID ?? "");
    // What two machines write at the same moment comes in any order: each of them tells all of its own.
    for (const machineID of new Set(stream.entries.map((entry) => entry.machineID)))
      expectWhole(numbersOf(stream, "count@moving.service", machineID));
    expect(numbersOf(stream, "count@moving.service").filter((number) => number === 1)).toHaveLength(2);
  });

  it("a machine that is cut off and comes back is taken up from its last entry", async () => {
    cluster.file("stay@.service", `${COUNTER}[X-Fleet]\nMachineMetadata=host=h3\n`);
    await cluster.ok("start", "stay@3.service");
    const stream = open("unit=stay@3.service&lines=all&follow=true");
    await until("it to be read", () => numbersOf(stream, "stay@3.service").length > 5);
    await network().cut(3);
    await until("the machine to be told away", () => noteKinds(stream.notes).includes("machine-away"), 60_000);
    await network().heal(3);
    await until("it to be back", () => noteKinds(stream.notes).includes("machine-back"), 60_000);
    const count = numbersOf(stream, "stay@3.service").length;
    await until("new lines", () => numbersOf(stream, "stay@3.service").length > count + 10);
    expectWhole(numbersOf(stream, "stay@3.service"));
    expect(noteKinds(stream.notes).filter((kind) => kind === "machine-away")).toHaveLength(1);
  });

  it.each(["KILL", "STOP"])("an agent that gets SIG%s is taken up again", async (signal) => {
    cluster.file("stay@.service", `${COUNTER}[X-Fleet]\nMachineMetadata=host=h3\n`);
    await cluster.ok("start", "stay@4.service");
    const stream = open("unit=stay@4.service&lines=all&follow=true");
    await until("it to be read", () => numbersOf(stream, "stay@4.service").length > 5);
    await network().must(3, "systemctl", "kill", "-s", signal, "fleet-agent");
    // Where its journalctl is killed a moment before the agent is, that is what it still says.
    const told = (): string | undefined => noteKinds(stream.notes).find((kind) => /^machine-(away|error)$/.test(kind));
    await until("the machine to be told away", () => told() !== undefined, 60_000);
    if (signal === "STOP") await network().must(3, "systemctl", "kill", "-s", "CONT", "fleet-agent");
    if (told() === "machine-away")
      await until("it to be back", () => noteKinds(stream.notes).includes("machine-back"), 60_000);
    const count = numbersOf(stream, "stay@4.service").length;
    await until("new lines", () => numbersOf(stream, "stay@4.service").length > count + 10);
    expectWhole(numbersOf(stream, "stay@4.service"));
  });

  it("a stream goes on while etcd is away", async () => {
    await startCounters("1", "2", "3");
    const stream = open("unit=count@*.service&lines=1&follow=true");
    await until("it to be read", () => stream.entries.length > 30);
    await cluster.cluster.killEtcd();
    const count = stream.entries.length;
    await until("lines without etcd", () => stream.entries.length > count + 150);
    await cluster.cluster.startEtcd();
    await cluster.until(
      "the cluster to be back",
      async () => (await cluster.fleetctl("list-units")).code === 0,
      60_000,
    );
    for (const unit of ["1", "2", "3"]) expectWhole(numbersOf(stream, `count@${unit}.service`));
  });

  it("an API that is killed breaks its streams, and they go on at another one", async () => {
    await startCounters("1", "2");
    const first = open("unit=count@*.service&lines=all&follow=true");
    await until("it to be read", () => first.entries.length > 30);
    await network().must(1, "systemctl", "kill", "-s", "KILL", "fleet-api");
    await first.ended;
    expect(first.end).toBeNull();
    const second = network().hosts.get(2);
    const after = [...first.cursors].map(([machine, cursor]) => `&after=${machine}:${encodeURIComponent(cursor)}`);
    const rest = open(
      `unit=count@*.service&lines=all&follow=true${after.join("")}`,
      cluster.cluster.endpoint().replace(network().hosts.get(1)?.address ?? "", second?.address ?? ""),
    );
    await until("it to go on", () => rest.entries.length > 20);
    for (const unit of ["count@1.service", "count@2.service"])
      expectWhole([...numbersOf(first, unit), ...numbersOf(rest, unit)]);
    await cluster.until("the API to be back", async () => (await cluster.fleetctl("list-units")).code === 0, 60_000);
  });

  it("status and usage of units come from their machines", async () => {
    await startCounters("1");
    const { status, text } = await cluster.api.send("GET", "/units/count@1.service/status?lines=2");
    expect(status).toBe(200);
    const [unit] = (JSON.parse(text) as { units: UnitStatus[] }).units;
    expect(unit).toMatchObject({ unit: "count@1.service", activeState: "active", subState: "running" });
    expect(unit?.processes?.map(({ command }) => command).join()).toContain("sh -c");
    expect(unit?.journal).toHaveLength(2);
    const usage = JSON.parse((await cluster.api.send("GET", "/usage")).text) as { machines: UsageSample[] };
    expect(usage.machines).toHaveLength(3);
    expect(usage.machines.flatMap(({ units = [] }) => units)).toMatchObject([
      { name: "count@1.service", active: "active", sub: "running" },
    ]);
    for (const { error, memory } of usage.machines) {
      expect(error).toBeUndefined();
      expect(memory?.totalBytes).toBeGreaterThan(0);
    }
  });

  it("nothing is told of a unit that is not fleet's", async () => {
    const { status, text } = await cluster.api.send("GET", "/journal?unit=dbus.service");
    expect([status, text]).toEqual([404, expect.stringContaining("no unit matches")]);
  });
});
