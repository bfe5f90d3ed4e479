import { encodeRollProgress, type RollRecord } from "@fleet/domain/roll";
import { hashText, hashUnitFile, parseUnitFile } from "@fleet/domain/unit";
import type { Placed } from "@fleet/domain/whereabouts";
import { createRoll, keptRolls, orderRoll } from "@fleet/registry";
import { describe, expect, it } from "vitest";
import { PLAIN } from "./testing/simulated-cluster.ts";
import { engineTest } from "./testing/simulated-engine.ts";

const { clock, cluster, registry, start } = engineTest();
const on = (machine: string): Placed => ({ kind: "placed", on: machine });
const NEW = "[Service]\nExecStart=/bin/b\n";
const [OLD_HASH, NEW_HASH] = [hashText(PLAIN), hashText(NEW)];
const NAMES = ["web@1.service", "web@2.service", "web@3.service"];

/** Three units on two machines, and a roll of them. */
async function begin(changes: Partial<RollRecord> = {}): Promise<string> {
  await cluster().join("m1", "m2");
  for (const [index, name] of NAMES.entries()) await cluster().unit(name, on(index === 0 ? "m1" : "m2"));
  for (const [index, name] of NAMES.entries()) await cluster().act(index === 0 ? "m1" : "m2", name);
  return roll(changes);
}

const textOf = (hash: string) => ({ hash, source: hash });

async function roll(changes: Partial<RollRecord> = {}): Promise<string> {
  const { etcd, keys } = registry();
  const to = textOf(changes.kind === "restart" ? OLD_HASH : NEW_HASH);
  const record: RollRecord = {
    ...{ kind: "replace", units: NAMES.map((name) => ({ name, from: textOf(OLD_HASH), to })) },
    ...{ maxUnavailable: 1, pauseMs: 0, settleMs: 2_000, canary: null, onFailure: "stop" },
    ...{ by: "ann", message: "new port", at: "2026-11-26T09:00:00Z", ...changes },
  };
  return (await createRoll(etcd, keys, record, new Map([[NEW_HASH, NEW]]))).id;
}

async function progress(id: string) {
  const { etcd, keys } = registry();
  return (await keptRolls(etcd, keys)).find((kept) => kept.id === id)?.progress;
}

const hashes = (): readonly (string | undefined)[] => NAMES.map((name) => cluster().record(name)?.hash);

describe("a roll", () => {
  it("is carried out by the leading engine, unit by unit, and noted in their histories", async () => {
    const id = await begin();
    const { said } = start();
    await clock.pass(1_000);
    expect(hashes()).toEqual([NEW_HASH, OLD_HASH, OLD_HASH]);
    await clock.pass(10_000);
    expect(hashes()).toEqual([NEW_HASH, NEW_HASH, NEW_HASH]);
    expect(await progress(id)).toMatchObject({ status: "done", phases: ["done", "done", "done"] });
    expect((await registry().versions("web@1.service"))[0]).toMatchObject({
      by: "ann",
      message: `roll ${id}: new port`,
    });
    expect(said).toContain(`roll ${id}: replace web@2.service`);
    expect(said).toContain(`roll ${id} is done`);
  });

  it("takes several units with the same text at a time", async () => {
    const id = await begin({ maxUnavailable: 2 });
    start();
    await clock.pass(1_000);
    expect(hashes().filter((hash) => hash === NEW_HASH)).toHaveLength(2);
    await clock.pass(10_000);
    expect(await progress(id)).toMatchObject({ status: "done" });
    await orderRoll(registry().etcd, registry().keys, id, "undo", null);
    await clock.pass(15_000);
    expect(await progress(id)).toMatchObject({ status: "undone" });
  });

  it("writes texts that are too much for one transaction before it", async () => {
    const texts = NAMES.map((_name, index) => `# ${index}${"x".repeat(400_000)}\n${NEW}`);
    const sources = texts.map((text) => hashText(text));
    const units = NAMES.map((name, index) => ({
      ...{ name, from: textOf(OLD_HASH), to: { hash: NEW_HASH, source: sources[index] ?? "" } },
    }));
    const id = await begin({ units, maxUnavailable: 3 });
    for (const [index, text] of texts.entries())
      await cluster().write({ put: registry().keys.source(sources[index] ?? ""), value: text });
    const { etcd } = start();
    await clock.pass(15_000);
    expect(await progress(id)).toMatchObject({ status: "done" });
    const sizes = etcd.txns.map(({ ops }) => ops.reduce((sum, op) => sum + ("put" in op ? op.value.length : 0), 0));
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(cluster().record("web@3.service")).toMatchObject({ source: sources[2] });
  });

  it("has a unit that must not run twice leave its machine before it is placed on another", async () => {
    const pinned = `${PLAIN}[X-Fleet]\nOnPartition=stop\nMachineID=m`;
    const [before, after] = [`${pinned}1\n`, `${pinned}2\n`];
    await cluster().join("m1", "m2");
    await cluster().unit("once.service", on("m1"), before);
    await cluster().turn("m1", "once.service", "stuck");
    const to = { hash: hashUnitFile(parseUnitFile(after)), source: hashText(after) };
    const units = [{ name: "once.service", from: textOf(hashText(before)), to }];
    await roll({ units });
    await cluster().write({ put: registry().keys.source(hashText(after)), value: after });
    start();
    await clock.pass(5_000);
    expect(cluster().where("once.service")).toMatchObject({ kind: "leaving", from: "m1" });
    expect(cluster().done).not.toContain("m2 + once.service");
  });

  it("is undone once though an old text is gone, and says so", async () => {
    const { etcd, keys } = registry();
    const id = await begin();
    const engine = start();
    await clock.pass(12_000);
    await cluster().write({ delete: keys.source(OLD_HASH) }, { delete: keys.unitFile(OLD_HASH) });
    await orderRoll(etcd, keys, id, "undo", "bob");
    const before = engine.etcd.txns.length;
    await clock.pass(20_000);
    expect(await progress(id)).toMatchObject({
      ...{ status: "undone", phases: ["stuck", "stuck", "stuck"] },
      why: "undone by bob; 3 of 3 are not up with their old versions",
    });
    expect(engine.etcd.txns.length - before).toBeLessThan(30);
  });

  it("restarts units where they are", async () => {
    const id = await begin({ kind: "restart" });
    start();
    await clock.pass(15_000);
    expect(await progress(id)).toMatchObject({ status: "done" });
    expect(hashes()).toEqual([OLD_HASH, OLD_HASH, OLD_HASH]);
    expect(cluster().record("web@1.service")).toMatchObject({ desiredState: "launched", whereabouts: on("m1") });
  });

  it("undoes itself where a version fails, to the byte", async () => {
    const id = await begin({ onFailure: "undo" });
    cluster().versionFates.set(NEW_HASH, "failed");
    start();
    await clock.pass(15_000);
    expect(await progress(id)).toMatchObject({ status: "undone", why: "web@1.service failed" });
    expect(hashes()).toEqual([OLD_HASH, OLD_HASH, OLD_HASH]);
  });

  it("is undone when it is told to, also after its end", async () => {
    const { etcd, keys } = registry();
    const id = await begin();
    start();
    await clock.pass(12_000);
    await orderRoll(etcd, keys, id, "undo", "bob");
    await clock.pass(12_000);
    expect(await progress(id)).toMatchObject({ status: "undone", why: "undone by bob" });
    expect(hashes()).toEqual([OLD_HASH, OLD_HASH, OLD_HASH]);
  });

  it("goes on under another engine", async () => {
    const id = await begin();
    const first = start("e1");
    await clock.pass(1_000);
    await first.engine.stop();
    const second = start("e2");
    await clock.pass(15_000);
    expect(second.said).toContain(`roll ${id} is done`);
    expect(hashes()).toEqual([NEW_HASH, NEW_HASH, NEW_HASH]);
  });

  it("has failed for a unit whose text is gone", async () => {
    const id = await begin();
    await cluster().write({ delete: registry().keys.source(NEW_HASH) });
    start();
    await clock.pass(2_000);
    expect(await progress(id)).toMatchObject({
      status: "failed",
      why: "web@1.service can't be given its text, which is not in etcd any more",
    });
    expect(hashes()).toEqual([OLD_HASH, OLD_HASH, OLD_HASH]);
  });

  it("leaves a unit alone that a user changes meanwhile", async () => {
    const id = await begin();
    start();
    await clock.pass(1_000);
    await registry()
      .unitWriter()
      .submit({ kind: "set", name: "web@2.service", options: null, desiredState: "inactive" });
    await clock.pass(10_000);
    expect(await progress(id)).toMatchObject({
      status: "done",
      reasons: { "web@2.service": "was set inactive by somebody else" },
    });
    expect(hashes()).toEqual([NEW_HASH, OLD_HASH, NEW_HASH]);
  });

  it("is refused while another one has one of its units, and not afterwards", async () => {
    const id = await begin();
    await expect(roll()).rejects.toThrow(`unit web@1.service is in roll ${id}, which is not over`);
    const { etcd, keys } = registry();
    await orderRoll(etcd, keys, id, "cancel", null);
    expect(await roll()).toBe("2");
    await expect(orderRoll(etcd, keys, id, "undo", null)).rejects.toThrow("is in roll 2, which is not over");
    await expect(orderRoll(etcd, keys, "9", "undo", null)).rejects.toThrow("there is no roll 9");
  });

  it("is one of two where two are begun at once", async () => {
    await begin({ units: [] });
    const begun = Promise.allSettled([roll(), roll(), roll()]);
    await clock.pass(5_000);
    const results = await begun;
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
  });

  it("is undone as one of two where two with the same units are to be undone at once", async () => {
    const { etcd, keys } = registry();
    const ids = [await begin(), ""];
    await orderRoll(etcd, keys, ids[0] ?? "", "cancel", null);
    ids[1] = await roll();
    await orderRoll(etcd, keys, ids[1], "cancel", null);
    const undone = Promise.allSettled(ids.map((id) => orderRoll(etcd, keys, id, "undo", null)));
    await clock.pass(5_000);
    expect((await undone).map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  it("can be begun after very many that have ended since the last one was", async () => {
    const { etcd, keys } = registry();
    const ids: string[] = [];
    for (let count = 0; count < 90; count++) ids.push(await roll({ units: [] }));
    for (const id of ids) await orderRoll(etcd, keys, id, "cancel", null);
    expect(await roll({ units: [] })).toBe("91");
  });

  it("that can't be read may have any units: another one is refused", async () => {
    await begin({ units: [] });
    await cluster().write({ put: registry().keys.roll("7"), value: '{"kind":"surge"}' });
    await expect(roll()).rejects.toThrow("roll 7 in etcd can't be read");
  });

  it("is kept when it is over, as one of twenty", async () => {
    const { etcd, keys } = registry();
    for (let count = 0; count < 23; count++) await orderRoll(etcd, keys, await roll({ units: [] }), "cancel", null);
    expect((await keptRolls(etcd, keys)).map(({ id }) => Number(id))).toEqual(
      Array.from({ length: 20 }, (_value, index) => index + 4),
    );
  });

  it("costs etcd nothing while it waits", async () => {
    const id = await begin();
    await cluster().write({
      put: registry().keys.rollProgress(id),
      value: encodeRollProgress({
        ...{ status: "paused", why: null, reasons: {}, isPastCanary: false },
        phases: ["waiting", "waiting", "waiting"],
      }),
    });
    const { etcd } = start();
    await clock.pass(5_000);
    const before = etcd.txns.length;
    await clock.pass(60_000);
    expect(etcd.txns.slice(before).filter(({ ops }) => ops.length > 0)).toEqual([]);
  });
});
