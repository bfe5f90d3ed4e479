import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JournalStream } from "../testbed/journal-stream.ts";
import { TestCluster } from "../testbed/test-cluster.ts";

const LINK_PORT = 49160;
/** journald drops most of what such units write otherwise. */
const UNLIMITED = { "/etc/systemd/journald.conf.d/test.conf": "[Journal]\nRateLimitBurst=0\nSystemMaxUse=1G\n" };
/** The clock of the machine that is off, in microseconds. */
const HOUR_US = 3_600_000_000;
/** All hosts share this machine's clock: what a clock that is off puts into entries is put there as they are printed. */
const SHIFTED_JOURNALCTL = `#!/usr/bin/perl
$| = 1;
open(my $entries, "-|", "/usr/bin/journalctl", @ARGV) or die;
while (<$entries>) { s/("__REALTIME_TIMESTAMP" ?: ?")(\\d+)/$1 . ($2 + ${HOUR_US})/e; print; }
close($entries);
exit($? >> 8);
`;

let cluster: TestCluster;
const streams: JournalStream[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start([
    { agent: true, engine: true, api: true, config: `link_listen=0.0.0.0:${LINK_PORT}`, files: UNLIMITED },
    { agent: true, files: UNLIMITED },
  ]);
});
afterAll(() => cluster?.stop());
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await cluster.clear();
});

const network = () => cluster.cluster.network;

function open(query: string): JournalStream {
  const stream = new JournalStream(`${cluster.cluster.endpoint()}/fleet/v1/journal?${query}`);
  streams.push(stream);
  return stream;
}

/** Starts a unit on a host that writes its number a line, so often a second, or so many at once. */
async function startCounter(name: string, host: number, script: string): Promise<void> {
  const text = `[Service]\nLogRateLimitIntervalSec=0\nExecStart=/bin/sh -c '${script}'\n[X-Fleet]\nMachineMetadata=host=h${host}\n`;
  await cluster.ok("start", cluster.file(name, text));
}

const TEN_A_SECOND = "i=0; while :; do i=$$((i+1)); echo $$i; sleep 0.1; done";

/** Numbers that a unit has written, of what was read. */
const numbersIn = (...read: readonly JournalStream[]): readonly number[] =>
  read.flatMap(({ entries }) => entries.flatMap(({ message }) => /^\d+/.exec(message)?.slice(0, 1).map(Number) ?? []));

/** Fails where a run of numbers has a gap or a double. */
function expectWhole(numbers: readonly number[]): void {
  for (const [index, number] of numbers.entries())
    if (index > 0 && number !== (numbers[index - 1] ?? 0) + 1)
      throw new Error(`${numbers[index - 1]} is followed by ${number}, at ${index} of ${numbers.length}`);
}

const until = (what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> =>
  cluster.until(what, condition, timeoutMs);

/** Connections to the API's end of the link. */
async function linkConnections(): Promise<number> {
  const port = LINK_PORT.toString(16).toUpperCase();
  const table = await network().must(1, "cat", "/proc/net/tcp", "/proc/net/tcp6");
  return table.split("\n").filter((row) => new RegExp(`^ *\\d+: [0-9A-F]+:${port} [0-9A-F:]+ 01 `).test(row)).length;
}

describe("readers of journals on real machines", () => {
  it("one that stops reading is cut off with a clear word, and goes on after its last entry", async () => {
    const lines = 6_000;
    const script = `p=$$(printf %%04000d 0); i=0; while [ $$i -lt ${lines} ]; do i=$$((i+1)); echo "$$i $$p"; done; exec sleep infinity`;
    await startCounter("flood.service", 2, script);
    const first = open("unit=flood.service&lines=all&follow=true");
    await until("it to read", () => first.entries.length > 0);
    first.pause();
    // What it is told is behind all that the kernel holds for it: it hears of it when it reads on.
    await until("the agent's stream to end", async () => (await linkConnections()) === 0, 60_000);
    first.resume();
    await first.ended;
    expect(first.end).toBeNull();
    expect(first.notes.at(-1)).toMatchObject({
      kind: "cut-off",
      text: "nothing was read for 30 s: go on after the last entry",
    });
    const [[machine = "", cursor = ""] = []] = [...first.cursors];
    const second = open(`unit=flood.service&lines=all&follow=true&after=${machine}:${encodeURIComponent(cursor)}`);
    await until("it to have all", () => numbersIn(second).at(-1) === lines);
    const numbers = numbersIn(first, second);
    expectWhole(numbers);
    expect(numbers).toHaveLength(lines);
  });

  it("200 at once are served, or told that the machine is busy and served later, and nothing else suffers", async () => {
    await startCounter("crowd.service", 2, TEN_A_SECOND);
    await until("it to write", async () => {
      const stream = open("unit=crowd.service&lines=1");
      await stream.ended;
      return stream.entries.length > 0;
    });
    const crowd = Array.from({ length: 200 }, () => open("unit=crowd.service&lines=1&follow=true"));
    const isServed = ({ entries }: JournalStream): boolean => entries.length > 5;
    const isTold = ({ notes }: JournalStream): boolean =>
      notes.some(({ text }) => text.includes("answers 64 questions, and no more at a time"));
    await until("all of them to be answered", () => crowd.every((stream) => isServed(stream) || isTold(stream)));
    const served = crowd.filter(isServed);
    expect(served.length).toBeGreaterThan(0);
    expect(served.length).toBeLessThanOrEqual(64);
    // All of them share one connection, and the API answers others meanwhile.
    expect(await linkConnections()).toBe(1);
    expect((await cluster.ok("list-machines", "--no-legend")).trim().split("\n")).toHaveLength(2);
    for (const stream of served) stream.close();
    const waiting = crowd.filter((stream) => !isServed(stream));
    await until("others to be served", () => waiting.filter(isServed).length >= 30, 40_000);
    for (const stream of crowd) expectWhole(numbersIn(stream));
    for (const stream of crowd) stream.close();
    await until("the connection to be closed", async () => (await linkConnections()) === 0);
  });

  it("those of a machine whose clock is an hour off have its entries whole, and where its clock puts them", async () => {
    const write = `cat >/usr/local/bin/journalctl <<'END'\n${SHIFTED_JOURNALCTL}END\nchmod 755 /usr/local/bin/journalctl`;
    await network().must(2, "sh", "-c", write);
    try {
      await startCounter("right.service", 1, TEN_A_SECOND);
      await startCounter("off.service", 2, TEN_A_SECOND);
      const followed = open("unit=right.service&unit=off.service&lines=all&follow=true");
      const of = (stream: JournalStream, unit: string) => stream.entries.filter((entry) => entry.unit === unit);
      const numbers = (stream: JournalStream, unit: string): readonly number[] =>
        of(stream, unit).flatMap(({ message }) => (/^\d+$/.test(message) ? [Number(message)] : []));
      await until("both to be followed", () =>
        ["right.service", "off.service"].every((unit) => numbers(followed, unit).length > 20),
      );
      for (const unit of ["right.service", "off.service"]) expectWhole(numbers(followed, unit));
      const past = open("unit=right.service&unit=off.service&lines=all");
      await past.ended;
      const times = past.entries.map(({ timestamp }) => timestamp);
      expect(times).toEqual(times.toSorted());
      const apart = Date.parse(of(past, "off.service")[0]?.timestamp ?? "") - Date.parse(times[0] ?? "");
      expect(Math.round(apart / 3_600_000)).toBe(1);
      // Cursors, not times, say where a reader goes on.
      const after = [...followed.cursors].map(([machine, cursor]) => `&after=${machine}:${encodeURIComponent(cursor)}`);
      followed.close();
      const rest = open(`unit=right.service&unit=off.service&lines=all&follow=true${after.join("")}`);
      await until("both to go on", () =>
        ["right.service", "off.service"].every((unit) => numbers(rest, unit).length > 5),
      );
      for (const unit of ["right.service", "off.service"])
        expectWhole([...numbers(followed, unit), ...numbers(rest, unit)]);
    } finally {
      await network().must(2, "rm", "/usr/local/bin/journalctl");
    }
  });
});

describe("the API's end of the link", () => {
  it("answers beside connections that say nothing, and holds none when nobody asks", async () => {
    await startCounter("quiet.service", 2, TEN_A_SECOND);
    const host = network().hosts.get(1)?.address ?? "";
    const strangers = Array.from({ length: 50 }, () => connect(LINK_PORT, host).on("error", () => undefined));
    try {
      const stream = open("unit=quiet.service&lines=1&follow=true");
      await until("it to be read", () => stream.entries.length > 5);
    } finally {
      for (const stranger of strangers) stranger.destroy();
    }
    for (const stream of streams.splice(0)) stream.close();
    await until("no connection to be left", async () => (await linkConnections()) === 0);
  });
});
