import { writeSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createLog, type LogConfig, levelOf } from "./log.ts";

vi.mock("node:fs", async (original) => ({ ...(await original<object>()), writeSync: vi.fn() }));

const config = (verbosity: number, logFormat: LogConfig["logFormat"] = "auto"): LogConfig => ({ verbosity, logFormat });
const written = (): readonly string[] => vi.mocked(writeSync).mock.calls.map(([, text]) => String(text));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => void vi.mocked(writeSync).mockReset());

describe("the daemon's log", () => {
  it("writes the lines of one turn of the event loop together, in their order", async () => {
    const log = createLog(config(0), {});
    log.info("a");
    log.info({ unit: "x.service" }, "b");
    expect(written()).toEqual([]);
    await turn();
    expect(written()).toHaveLength(1);
    const lines = (written()[0] ?? "").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: "info", msg: "a", time: expect.stringMatching(/^\d{4}-.*Z$/) },
      { level: "info", msg: "b", unit: "x.service" },
    ]);
  });
  it("writes a warning at once, with all that was said before it", () => {
    const log = createLog(config(0), {});
    log.info("a");
    log.warn("b");
    expect(written()).toHaveLength(1);
    expect(written()[0]).toMatch(/"msg":"a"\}\n.*"msg":"b"\}\n$/);
  });
  it("writes at once what is more than one turn should hold", () => {
    const log = createLog(config(0), {});
    log.info("x".repeat(20_000));
    expect(written()).toHaveLength(1);
  });
  it("puts syslog's priority in front of each line for the journal, which has the time itself", () => {
    const log = createLog(config(1), { JOURNAL_STREAM: "8:1" });
    log.debug("a");
    log.info("b");
    log.error("c");
    log.fatal("d");
    const lines = written().join("").trimEnd().split("\n");
    expect(lines.map((line) => line.slice(0, 3))).toEqual(["<7>", "<6>", "<3>", "<2>"]);
    expect(lines[1]).toBe("<6>b");
  });
  it.each([
    ["auto", {}, /^\{"level":"warn","time":".*","unit":"x","msg":"a"\}\n$/],
    ["auto", { JOURNAL_STREAM: "8:1" }, /^<4>a unit=x\n$/],
    ["json", { JOURNAL_STREAM: "8:1" }, /^<4>\{"level":"warn","unit":"x","msg":"a"\}\n$/],
    ["text", {}, /^a unit=x\n$/],
  ] as const)("by log_format=%s in %j has the form %s", (logFormat, env, form) => {
    createLog(config(0, logFormat), env).warn({ unit: "x" }, "a");
    expect(written().join("")).toMatch(form);
  });
  it("gives each line of an error's stack its priority", () => {
    createLog(config(0), { JOURNAL_STREAM: "8:1" }).error({ err: new Error("no way") }, "failed");
    expect(written().join("")).toMatch(/^<3>failed err="no way"\n<3> {4}at .*\n(<3>.*\n)*$/);
  });
  it.each(["EAGAIN", "EPIPE"])("goes on where its reader takes nothing: %s", (code) => {
    vi.mocked(writeSync).mockImplementationOnce(() => {
      throw Object.assign(new Error(code), { code });
    });
    const log = createLog(config(0), {});
    log.warn("a");
    log.warn("b");
    expect(written()).toHaveLength(2);
  });
  it("fails on every other failure to write", () => {
    vi.mocked(writeSync).mockImplementationOnce(() => {
      throw Object.assign(new Error("bad descriptor"), { code: "EBADF" });
    });
    expect(() => createLog(config(0), {}).warn("a")).toThrow("bad descriptor");
  });
  it("says details where verbosity is above 0", () => {
    expect([levelOf(0), levelOf(1), levelOf(2)]).toEqual(["info", "debug", "debug"]);
    createLog(config(0), {}).debug("a");
    createLog(config(0), {}).warn("b");
    expect(written().join("")).not.toContain('"a"');
  });
});
