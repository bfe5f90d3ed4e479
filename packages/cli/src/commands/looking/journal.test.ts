import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { type Answer, fakeServer } from "../../testing/fake-server.ts";
import { GLOBAL, id, options, state, unit } from "../../testing/one-unit.ts";

const { run, requests, answerAll } = fakeServer();

const other = "22222222bbbbbbbbbbbbbbbbbbbbbbbb";
const machines = [
  { id, primaryIP: "192.0.2.9", hostname: "h1" },
  { id: other, primaryIP: "192.0.2.10", hostname: "h2" },
];
const units = [
  { ...unit, name: "web@1.service" },
  { ...unit, name: "web@2.service", machineID: other },
  { ...unit, name: "web@.service", machineID: undefined, desiredState: "inactive", currentState: "inactive" },
  unit,
  { name: GLOBAL.name, options: GLOBAL.options, desiredState: "launched" },
];
const states = [id, other].map((machineID) => ({ ...state, name: GLOBAL.name, hash: GLOBAL.hash, machineID }));

/** A cluster with the link, whose journal says this; null: it has no link. */
function cluster(journal: ((response: ServerResponse) => void) | null) {
  answerAll((_method, path): Answer => {
    if (path.startsWith("/journal")) {
      if (journal === null)
        return { status: 501, body: { error: { code: 501, message: "this API has no link_listen" } } };
      return {
        stream: (response) => {
          response.writeHead(200, { "content-type": "application/x-ndjson" });
          journal(response);
        },
      };
    }
    if (path.startsWith("/events")) return { status: 404 };
    if (path.startsWith("/machines")) return { body: { machines } };
    if (path.startsWith("/state")) return { body: { states } };
    const name = decodeURIComponent(path.split(/[/?]/)[2] ?? "");
    const found = units.find((entry) => entry.name === name);
    return name === "" ? { body: { units } } : found === undefined ? { status: 404 } : { body: found };
  });
}
const asked = (): readonly string[] =>
  requests().flatMap((entry) => (entry.startsWith("GET /journal") ? [decodeURIComponent(entry.slice(13))] : []));
const entry = (of: string, machineID: string, second: number, message: string) => ({
  entry: {
    ...{ unit: of, machineID, hostname: machineID === id ? "h1" : "h2", cursor: `s=${second}` },
    ...{ timestamp: `2026-01-01T00:00:0${second}.000000Z`, identifier: "web", pid: 7, message },
  },
});
const lines = (...values: object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join("");
const END = { end: { units: [{ unit: "web@1.service", how: "was destroyed" }] } };

describe("journal over the API", () => {
  it("merges all instances of a glob, each line with its unit", async () => {
    cluster((response) =>
      response.end(lines(entry("web@1.service", id, 1, "one"), entry("web@2.service", other, 2, "two"), END)),
    );
    expect(await run(["journal", "-o", "cat", "web@*"])).toEqual({
      code: 0,
      stdout: "web@1.service | one\nweb@2.service | two\n",
      stderr: "",
    });
    expect(asked()).toEqual(["unit=web@*&lines=10"]);
  });
  it("has logs as its other name, and a template for its instances", async () => {
    cluster((response) => response.end(lines(END)));
    expect((await run(["logs", "--no-prefix", "web@"])).code).toBe(0);
    expect(asked()).toEqual(["unit=web@*.service&lines=10"]);
  });
  it("names a unit's line by nothing where it is alone, as ever", async () => {
    cluster((response) => response.end(lines(entry("a.service", id, 1, "one"), END)));
    expect((await run(["journal", "a"])).stdout).toMatch(/^\w{3} \d\d \d\d:\d\d:\d\d h1 web\[7\]: one\n$/);
  });
  it("names the machines of a global unit", async () => {
    cluster((response) =>
      response.end(lines(entry("g.service", id, 1, "one"), entry("g.service", other, 2, "two"), END)),
    );
    expect((await run(["journal", "-o", "cat", "g"])).stdout).toBe("g.service h1 | one\ng.service h2 | two\n");
  });
  it("hands every filter on", async () => {
    cluster((response) => response.end(lines(END)));
    const filters = ["--since", "-1h", "--until=now", "-p", "err", "-g", "a|b", "-n", "5", "--machine", "h2"];
    await run(["journal", "-f", "-o", "json", ...filters, "a", "web@1"]);
    expect(asked()).toEqual([
      `unit=a.service&unit=web@1.service&machine=${other}&lines=5&since=-1h&until=now&priority=err&grep=a|b&follow=true&fields=all`,
    ]);
  });
  it("says what happens to what it follows, and goes on where a connection broke", async () => {
    let count = 0;
    cluster((response) => {
      if (count++ > 0) return void response.end(lines(entry("web@1.service", other, 2, "two"), END));
      const note = { note: { kind: "moved", unit: "web@1.service", text: "web@1.service moved from h1 to h2" } };
      response.write(lines(entry("web@1.service", id, 1, "one"), note));
      setTimeout(() => response.destroy(), 20);
    });
    const { code, stdout, stderr } = await run(["journal", "-f", "-o", "cat", "web@1"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "one\ntwo\n" });
    expect(stderr).toMatch(
      /^-- web@1\.service moved from h1 to h2 --\n-- the connection broke; it goes on at unix:\S+ --\n-- web@1\.service was destroyed --\n$/,
    );
    expect(asked()[1]).toBe(`unit=web@1.service&lines=10&follow=true&after=${id}:s=1`);
  });
  it("ends with exit code 1 where a machine's lines are missing", async () => {
    const note = { note: { kind: "machine-error", machineID: other, text: "h2 does not answer" } };
    cluster((response) => response.end(lines(entry("web@1.service", id, 1, "one"), note, END)));
    expect(await run(["journal", "-o", "cat", "web@1"])).toEqual({
      code: 1,
      stdout: "one\n",
      stderr: "-- h2 does not answer --\n",
    });
  });
  it("says where nothing matches, as journalctl does", async () => {
    cluster((response) => response.end(lines(END)));
    const nothing = { code: 0, stdout: "", stderr: "-- No entries --\n" };
    expect(await run(["journal", "-g", "nosuchtext", "a"])).toEqual(nothing);
  });
  it("shows more lines than an API keeps, too", async () => {
    const many = Array.from({ length: 10_003 }, (_, index) => ({
      entry: { ...entry("web@1.service", id, 1, `line ${index}`).entry, cursor: `s=${index}` },
    }));
    cluster((response) => response.end(lines(...many, END)));
    const { stdout } = await run(["journal", "-n", "10001", "-o", "cat", "web@1"]);
    expect(asked()).toEqual(["unit=web@1.service&lines=all"]);
    expect(stdout.split("\n").slice(0, 1)).toEqual(["line 2"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(10_001);
  });
  it("says what no unit has", async () => {
    cluster((response) => response.end(lines(END)));
    expect((await run(["journal", "a", "db@*"])).stderr).toBe('Error: no unit matches "db@*"\n');
    expect((await run(["journal", "none"])).stderr).toBe("Error: Unit none.service does not exist.\n");
  });
});

describe("journal over SSH", () => {
  const local = (commands: string[][]) => ({
    localMachineID: id,
    run: async (command: readonly string[]) => {
      commands.push([...command]);
      return 0;
    },
  });
  it("is as it was where the API has no link, or --ssh asks for it", async () => {
    for (const args of [
      ["journal", "-f", "a"],
      ["journal", "--ssh", "-f", "a"],
    ]) {
      const commands: string[][] = [];
      cluster(args.includes("--ssh") ? (response) => response.end(lines(END)) : null);
      expect(await run(args, local(commands))).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(commands).toEqual([["journalctl", "--unit=a.service", "--no-pager", "-n", "10", "--output=short", "-f"]]);
    }
  });
  it.each([
    [["journal", "a"], true],
    [["journal", "--ssh", "a"], false],
  ])("says what helps where SSH fails that nobody asked for: %j, %s", async (args, isSaid) => {
    cluster(null);
    const { code, stderr } = await run(args, { localMachineID: id, run: async () => 255 });
    expect({ code, isSaid: stderr.startsWith("The API has no link to its machines, and SSH failed:") }).toEqual({
      ...{ code: 255, isSaid },
    });
  });
  it.each([[[]], [["--ssh"]]])("lets nothing of what a program wrote act on a terminal, with %j", async (flags) => {
    const message = "\x1b]0;owned\x07";
    cluster((response) => response.end(lines(entry("a.service", id, 1, message), END)));
    const watched = {
      ...{ localMachineID: id, terminal: { hasColors: false } },
      async *lines() {
        const fields = { __CURSOR: "s=1", __REALTIME_TIMESTAMP: "1767225600000001", _SYSTEMD_UNIT: "a.service" };
        yield JSON.stringify({ ...fields, MESSAGE: message });
      },
    };
    expect((await run(["journal", ...flags, "-o", "cat", "a"], watched)).stdout).toBe("\\x1b]0;owned\\x07\n");
    expect(await run(["journal", ...flags, "-o", "export", "a"], watched)).toMatchObject({
      ...{
        code: 1,
        stdout: "",
        stderr: "Error: --output export is not printed on a terminal: redirect it to a file or a pipe\n",
      },
    });
  });
  it("knows formats that are journalctl's own", async () => {
    const commands: string[][] = [];
    cluster((response) => response.end(lines(END)));
    await run(["journal", "--sudo", "-o", "verbose", "a"], local(commands));
    expect(commands).toEqual([
      ["sudo", "journalctl", "--unit=a.service", "--no-pager", "-n", "10", "--output=verbose"],
    ]);
    expect((await run(["journal", "-o", "verbose", "g"])).stderr).toContain("choose one with --machine");
  });
  it("merges units of one machine by time, each line with its unit", async () => {
    const commands: string[][] = [];
    cluster(null);
    const line = (of: string, micros: number, message: string): string =>
      JSON.stringify({
        __CURSOR: `s=${micros}`,
        __REALTIME_TIMESTAMP: `176722560000${micros}`,
        _SYSTEMD_UNIT: of,
        MESSAGE: message,
      });
    const result = await run(["journal", "--prefix", "-o", "cat", "a", "web@1"], {
      localMachineID: id,
      async *lines(command) {
        commands.push([...command]);
        yield line("a.service", 1001, "one");
        yield line("web@1.service", 1002, "two");
      },
    });
    expect(result).toEqual({ code: 0, stdout: "a.service     | one\nweb@1.service | two\n", stderr: "" });
    expect(commands).toEqual([
      ["journalctl", "--unit=a.service", "--unit=web@1.service", "--no-pager", "-n", "10", "--output=json"],
    ]);
  });
  it("follows after what it has shown", async () => {
    const commands: string[][] = [];
    cluster(null);
    const result = await run(["journal", "--prefix", "-f", "-o", "cat", "a"], {
      localMachineID: id,
      async *lines(command) {
        commands.push([...command]);
        const micros = command.includes("-f") ? "2000" : "1000";
        yield JSON.stringify({
          __CURSOR: `s=${micros}`,
          __REALTIME_TIMESTAMP: `176722560000${micros}`,
          _SYSTEMD_UNIT: "a.service",
          MESSAGE: micros,
        });
      },
    });
    expect(result.stdout).toBe("a.service | 1000\na.service | 2000\n");
    expect(commands[1]?.slice(-4)).toEqual(["all", "--output=json", "-f", "--after-cursor=s=1000"]);
  });
  /** The journal of a machine whose journalctl says this, the first line of a call first. */
  const over = async (args: readonly string[], printed: (command: readonly string[]) => readonly object[]) => {
    const commands: string[][] = [];
    cluster(null);
    const result = await run(["journal", "--prefix", ...args], {
      localMachineID: id,
      async *lines(command) {
        commands.push([...command]);
        for (const fields of printed(command)) yield JSON.stringify({ _SYSTEMD_UNIT: "a.service", ...fields });
      },
    });
    return { ...result, commands };
  };
  const at = (number: number) => ({
    ...{ __CURSOR: `s=1;i=${number};t=${number}`, __REALTIME_TIMESTAMP: String(1_767_225_600_000_000 + number) },
    MESSAGE: `line ${number}`,
  });
  it("follows lines since a time after those that it has shown, since journalctl takes one beginning", async () => {
    const { commands, stdout } = await over(["-f", "--since", "-1h", "-o", "cat", "a"], (command) =>
      command.includes("-f") ? [at(2)] : [at(1)],
    );
    expect(stdout).toBe("a.service | line 1\na.service | line 2\n");
    expect(commands.map((command) => command.filter((word) => /^--(since|after)/.test(word)))).toEqual([
      ["--since=-1h"],
      ["--after-cursor=s=1;i=1;t=1"],
    ]);
    const empty = await over(["-f", "--since", "-1h", "-o", "cat", "a"], () => []);
    expect(empty.commands.at(-1)?.filter((word) => /^--(since|after)/.test(word))).toEqual(["--since=-1h"]);
  });
  it("turns a search round, which journalctl prints with the newest line first, and follows after the newest", async () => {
    const { commands, stdout } = await over(["-f", "-n", "2", "-g", "line", "-o", "cat", "a"], (command) =>
      command.includes("-f") ? [at(4)] : [at(3), at(2)],
    );
    expect(stdout).toBe("a.service | line 2\na.service | line 3\na.service | line 4\n");
    expect(commands[1]?.at(-1)).toBe("--after-cursor=s=1;i=3;t=3");
  });
  it("shows the first value of a field that has several, and bytes as text", async () => {
    const { stdout } = await over(["-o", "short", "a"], () => [
      { ...at(1), SYSLOG_IDENTIFIER: ["first", "second"], MESSAGE: [0x6f, 0x6b, 0xff] },
    ]);
    expect(stdout).toMatch(/ h1 first: ok\ufffd\n$/);
  });
});

it("a unit that was never loaded has no journal", async () => {
  answerAll((_method, path) => {
    if (path.startsWith("/journal"))
      return {
        stream: (response) => {
          response.writeHead(200, { "content-type": "application/x-ndjson" });
          response.end(lines(END));
        },
      };
    return { body: { name: "a.service", options, desiredState: "inactive", currentState: "inactive" } };
  });
  expect(await run(["journal", "a"])).toMatchObject({
    code: 1,
    stderr: [
      "Unit a.service does not appear to be loaded.",
      'Error: no machine has a.service loaded: "fleetctl explain a.service" says why\n',
    ].join("\n"),
  });
});
