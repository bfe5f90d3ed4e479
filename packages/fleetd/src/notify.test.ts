import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { feedWatchdog, notifyReady } from "./notify.ts";

vi.mock("node:child_process", () => ({ execFile: vi.fn() }));
vi.mock("node:timers/promises", () => ({ setTimeout: vi.fn() }));

const NOTIFY_SOCKET = "/run/systemd/notify";
const told = (): readonly unknown[] => vi.mocked(execFile).mock.calls.map(([program, args]) => [program, args]);
const pid = `--pid=${process.pid}`;

beforeEach(() => {
  vi.mocked(execFile).mockReset();
  vi.mocked(sleep).mockReset();
});

describe("readiness", () => {
  it("is told to systemd where systemd asked to be told, and not otherwise", () => {
    notifyReady({}, () => undefined);
    expect(told()).toEqual([]);
    notifyReady({ NOTIFY_SOCKET }, () => undefined);
    expect(told()).toEqual([["systemd-notify", ["--ready", pid]]]);
  });
  it("that could not be told is reported", () => {
    const failures: string[] = [];
    notifyReady({ NOTIFY_SOCKET }, (message) => failures.push(message));
    const done = vi.mocked(execFile).mock.calls[0]?.at(-1) as unknown as (error: Error | null) => void;
    done(null);
    expect(failures).toEqual([]);
    done(new Error("no such program"));
    expect(failures).toEqual(["systemd could not be told of readiness: no such program"]);
  });
});

describe("the watchdog", () => {
  it("is fed twice within the time that systemd allows, until the signal aborts", async () => {
    const stopping = new AbortController();
    const env = { NOTIFY_SOCKET, WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(process.pid) };
    vi.mocked(sleep).mockImplementation(async () => {
      if (told().length === 5) stopping.abort();
    });
    await feedWatchdog(env, stopping.signal);
    expect(told()).toEqual(Array(5).fill(["systemd-notify", ["WATCHDOG=1", pid]]));
    expect(vi.mocked(sleep).mock.calls.map(([milliseconds]) => milliseconds)).toEqual(Array(5).fill(15_000));
  });
  it.each([
    ["without a socket", { WATCHDOG_USEC: "30000000" }],
    ["without a time", { NOTIFY_SOCKET }],
    ["with a time that is none", { NOTIFY_SOCKET, WATCHDOG_USEC: "0" }],
    ["of another process", { NOTIFY_SOCKET, WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" }],
  ])("%s is not fed", async (_what, env) => {
    await feedWatchdog(env, new AbortController().signal);
    expect(told()).toEqual([]);
  });
});
