import { describe, expect, it } from "vitest";
import { testMachine } from "./testing/test-machine.ts";

const machine = testMachine();
const A = "a.service";
const ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/a\n";

const key = (): string => machine().registry.keys.ended(machine().id, A);
const isNoted = (): boolean => machine().etcd.store.value(key()) !== null;
const writes = (): number =>
  machine().etcd.txns.flatMap(({ ops }) => ops.filter((op) => ("put" in op ? op.put : "") === key())).length;

/** An agent on whose machine a oneshot has ended. */
async function ended() {
  machine().host.behave(A, { runs: "to its end" });
  const agent = await machine().start();
  await machine().put(A, { text: ONESHOT });
  await machine().until("the note", isNoted);
  return agent;
}

describe("a oneshot that has ended", () => {
  it("is noted once, also across a restart of the agent", async () => {
    const agent = await ended();
    await machine().stop(agent, "keep");
    const before = writes();
    await machine().start();
    await machine().pass(90_000);
    expect([before, writes(), isNoted()]).toEqual([1, 1, true]);
  });
  it("stays noted when its machine is lost, and when its agent takes its units down and leaves", async () => {
    const agent = await ended();
    machine().loseLease(agent);
    expect(isNoted()).toBe(true);
    await machine().until("the machine to be back", () => machine().isInRegistry);
    await machine().stop(agent, "unload");
    expect([machine().isInRegistry, isNoted()]).toEqual([false, true]);
  });
  it("is not noted while it runs again, from before its start", async () => {
    await ended();
    machine().host.hold("start", A);
    await machine().put(A, { text: ONESHOT, desiredState: "loaded" });
    await machine().until("it to be loaded", () => machine().published(A)?.current === "loaded");
    await machine().put(A, { text: ONESHOT });
    await machine().until("it to be started", () => machine().calls.filter((call) => call === `start ${A}`).length > 1);
    expect(isNoted()).toBe(false);
    machine().host.release("start", A);
    await machine().until("the note", isNoted);
  });
  it("is not started after a reboot before its note is taken back", async () => {
    const agent = await ended();
    await machine().stop(agent, "keep");
    machine().reboot();
    machine().host.hold("start", A);
    const before = machine().calls.length;
    await machine().start();
    await machine().until("it to be started", () => machine().calls.slice(before).includes(`start ${A}`));
    expect(isNoted()).toBe(false);
  });
  it.each<[string, string, boolean]>([
    ["that stays active afterwards", `${ONESHOT}RemainAfterExit=yes\n`, false],
    ["that is no oneshot", "[Service]\nExecStart=/bin/a\n", false],
    ["that is global", ONESHOT, true],
  ])("is not a unit %s", async (_what, text, isGlobal) => {
    machine().host.behave(A, { runs: "to its end" });
    await machine().start();
    await machine().put(A, { text, isGlobal });
    await machine().until("it to be launched", () => machine().published(A)?.current === "launched");
    await machine().pass(60_000);
    expect(writes()).toBe(0);
  });
  it("is not a unit whose start was broken off by a stop", async () => {
    machine().host.behave(A, { runs: "to its end" });
    machine().host.hold("start", A);
    await machine().start();
    await machine().put(A, { text: ONESHOT });
    await machine().until("it to start", () => machine().published(A)?.systemd.active === "activating");
    await machine().host.stop(A);
    await machine().until("it to be at rest", () => machine().published(A)?.systemd.active === "inactive");
    await machine().pass(60_000);
    expect(writes()).toBe(0);
  });
});
