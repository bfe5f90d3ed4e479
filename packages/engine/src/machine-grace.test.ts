import { encodeEnded } from "@fleet/domain/cluster";
import { hashText } from "@fleet/domain/unit";
import type { Placed } from "@fleet/domain/whereabouts";
import { describe, expect, it } from "vitest";
import { engineTest } from "./testing/simulated-engine.ts";

const { clock, cluster, registry, start } = engineTest();
const on = (machine: string): Placed => ({ kind: "placed", on: machine });
const A = "a.service";
const TTL_MS = 5_000;

/** An engine that leads, with a unit on m1. */
const leading = async () => {
  await cluster().join("m1", "m2");
  await cluster().unit(A, on("m1"));
  const started = start("e1", { agentTtlMs: TTL_MS });
  await clock.pass(20_000);
  return started;
};
/** Etcd answers nothing for a while, as where all its members stand still; then machines are gone. */
const silent = async ({ etcd }: ReturnType<typeof start>, milliseconds: number, ...lost: readonly string[]) => {
  etcd.fail("all", "unavailable");
  await clock.pass(milliseconds);
  for (const id of lost) await cluster().lose(id, A);
  etcd.fail("all", null);
  await clock.pass(6_000);
};

describe("a machine that vanishes", () => {
  it("right after etcd was silent keeps its units, which is said, and they are left alone once it is back", async () => {
    const started = await leading();
    await silent(started, 7_000, "m1");
    expect([started.engine.isLeading(), cluster().where(A)]).toEqual([true, on("m1")]);
    expect(started.said.filter((text) => text.includes("disappeared while etcd was unreachable"))).toHaveLength(1);
    await cluster().join("m1");
    await clock.pass(60_000);
    expect([cluster().where(A), cluster().done]).toEqual([on("m1"), [`m1 + ${A}`]]);
  });
  it("right after etcd was silent and does not come back loses its units when its grace is over", async () => {
    const started = await leading();
    await silent(started, 7_000, "m1");
    expect(cluster().where(A)).toEqual(on("m1"));
    await clock.pass(15_000);
    expect(cluster().where(A)).toEqual(on("m2"));
    expect(started.said).toContainEqual(expect.stringContaining("machine m1 has not come back"));
  });
  it("is noted with until when its units stay, once, and without that when it is over", async () => {
    const key = registry().keys.knownMachine("m1");
    await cluster().write({ put: key, value: JSON.stringify({ primaryIP: "192.0.2.1" }) });
    const noted = async (): Promise<Record<string, string>> => {
      const [found] = (await registry().etcd.range({ start: key, end: `${key}\0` })).keyValues;
      return JSON.parse(found?.value ?? "") as Record<string, string>;
    };
    const started = await leading();
    await silent(started, 7_000, "m1");
    const { heldUntil = "", ...rest } = await noted();
    expect(rest).toEqual({ primaryIP: "192.0.2.1", lostSince: expect.any(String) });
    const graceMs = Date.parse(heldUntil) - Date.now();
    expect([graceMs > 5_000, graceMs < 15_000]).toEqual([true, true]);
    const writes = started.etcd.txns.length;
    await clock.pass(2_000);
    expect([(await noted()).heldUntil, started.etcd.txns.length]).toEqual([heldUntil, writes]);
    await clock.pass(15_000);
    expect([cluster().where(A), await noted()]).toEqual([on("m2"), rest]);
  });
  it("while etcd answers loses its units at once, however long nothing else has changed", async () => {
    const started = await leading();
    await clock.pass(120_000);
    await cluster().lose("m1", A);
    await clock.pass(500);
    expect([cluster().where(A), started.said.some((text) => text.includes("vanished"))]).toEqual([on("m2"), false]);
  });
  it("after a short silence of etcd loses its units at once", async () => {
    const started = await leading();
    await silent(started, 1_000);
    await cluster().lose("m1", A);
    await clock.pass(500);
    expect(cluster().where(A)).toEqual(on("m2"));
  });
});

describe("a oneshot that has ended", () => {
  const ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/a\n";
  const ended = async (text: string): Promise<void> => {
    await cluster().join("m1", "m2");
    await cluster().unit(A, on("m1"), text);
    await cluster().write({ put: registry().keys.ended("m1", A), value: encodeEnded({ hash: hashText(text) }) });
    start();
    await clock.pass(500);
  };
  const scheduled = async (machine: string): Promise<unknown> => {
    const { keys, etcd } = registry();
    const key = keys.schedule(machine, A);
    const [found] = (await etcd.range({ start: key, end: `${key}\0` })).keyValues;
    return found === undefined ? null : (JSON.parse(found.value) as { desiredState: string }).desiredState;
  };

  it("is loaded and not run again where its machine is lost", async () => {
    await ended(ONESHOT);
    await cluster().lose("m1", A);
    await clock.pass(500);
    expect([cluster().where(A), await scheduled("m2")]).toEqual([on("m2"), "loaded"]);
  });
  it("is loaded and not run again where its machine is drained", async () => {
    await ended(ONESHOT);
    await cluster().drain("m1");
    await clock.pass(30_000);
    expect([cluster().where(A), await scheduled("m2")]).toEqual([on("m2"), "loaded"]);
  });
  it("runs again elsewhere with Rerun=true", async () => {
    await ended(`${ONESHOT}[X-Fleet]\nRerun=true\n`);
    await cluster().lose("m1", A);
    await clock.pass(500);
    expect([cluster().where(A), await scheduled("m2")]).toEqual([on("m2"), "launched"]);
  });
  it("leaves no note of it behind once it is elsewhere", async () => {
    await ended(ONESHOT);
    await cluster().lose("m1", A);
    await clock.pass(300_000);
    expect(await registry().has(registry().keys.ended("m1", A))).toBe(false);
  });
});
