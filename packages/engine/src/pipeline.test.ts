import { encodeMachine, encodeUnit, type Op } from "@fleet/domain/cluster";
import type { Decision } from "@fleet/domain/placement";
import { hashText } from "@fleet/domain/unit";
import { NOWHERE, scheduledTo } from "@fleet/domain/whereabouts";
import { describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { lead } from "../../../testbed/led-registry.ts";
import { Committer } from "./committer.ts";
import { Pipeline } from "./pipeline.ts";

const test = fakeRegistry();
const { etcd, registry, stopping } = test;

const PLAIN = "[Service]\nExecStart=/bin/a\n";
const id = (index: number): string => index.toString(16).padStart(32, "a");
const names = (many: number): string[] => Array.from({ length: many }, (_, index) => `u${index}.service`);

function unitOp(name: string, text = PLAIN, machineID: string | null = null): Op {
  const whereabouts = machineID === null ? NOWHERE : ({ kind: "placed", on: machineID } as const);
  const record = { hash: hashText(text), desiredState: "launched", global: false, whereabouts, cause: null } as const;
  return { put: registry().keys.unit(name), value: encodeUnit(record) };
}

async function write(ops: readonly Op[]): Promise<void> {
  for (let start = 0; start < ops.length; start += 100) await registry().etcd.txn([], ops.slice(start, start + 100));
}

/** Three machines and units in etcd, a model of them, and a pipeline over it that notes what it is told. */
async function seeded(units: readonly Op[], texts: readonly string[] = [PLAIN]) {
  const { keys } = registry();
  const machine = { primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" };
  await write([
    ...texts.map((text): Op => ({ put: keys.unitFile(hashText(text)), value: text })),
    ...[1, 2, 3].map((n): Op => ({ put: keys.machine(id(n)), value: encodeMachine({ id: id(n), ...machine }) })),
    ...units,
  ]);
  const { mirror, feed, leadership } = await lead(test, 60_000);
  const done: { decision: Decision; writtenAt: number }[] = [];
  const lost: Decision[] = [];
  const heard = { onDone: (): void => undefined };
  const pipeline = new Pipeline({
    feed,
    state: mirror.state,
    committer: new Committer(registry()),
    mayAct: () => true,
    revision: () => mirror.revision,
    onDone: (decision, _decidedAt, writtenAt) => {
      done.push({ decision, writtenAt });
      heard.onDone();
    },
    onLost: (decision) => lost.push(decision),
  });
  const run = (): Promise<void> => pipeline.run(leadership, stopping().signal);
  const machineOf = async (name: string): Promise<string | null> =>
    scheduledTo((await registry().units([name])).get(name)?.whereabouts ?? NOWHERE);
  return { mirror, pipeline, done, lost, heard, run, machineOf };
}

describe("deciding and writing at once", () => {
  it("places everything once, with several batches on their way together", async () => {
    const { done, lost, run, pipeline } = await seeded(names(1_500).map((name) => unitOp(name)));
    const asked = (): number => etcd().asked.get("txn") ?? 0;
    const before = asked();
    etcd().hold("txn");
    const placing = run();
    // Of one batch four transactions at most are sent before any of them is answered.
    await expect.poll(() => asked() - before).toBeGreaterThan(4);
    etcd().release();
    await placing;
    expect(new Set(done.map(({ decision }) => decision.name)).size).toBe(1_500);
    expect([done.length, lost.length, pipeline.inFlight]).toEqual([1_500, 0, 0]);
  });
  it("writes a unit that follows another after what it follows", async () => {
    const follower = `${PLAIN}[X-Fleet]\nMachineOf=u9.service\n`;
    const units = [...names(600).map((name) => unitOp(name)), unitOp("follower.service", follower)];
    const { done, run, machineOf } = await seeded(units, [PLAIN, follower]);
    await run();
    const at = (name: string): number => done.find(({ decision }) => decision.name === name)?.writtenAt ?? 0;
    expect(done).toHaveLength(601);
    expect(at("follower.service")).toBeGreaterThanOrEqual(at("u9.service"));
    expect(await machineOf("follower.service")).toBe(await machineOf("u9.service"));
  });
  it("decides anew on a unit that somebody has changed while its decision was on its way", async () => {
    const { run, lost, machineOf, heard } = await seeded(names(1_000).map((name) => unitOp(name)));
    const other = `${PLAIN}[X-Fleet]\nMachineID=${id(2)}\n`;
    // Decisions are made by name: this one is of the second batch, which is under way when the first is done.
    const name = names(1_000).sort()[300] ?? "";
    let changed: Promise<unknown> | null = null;
    heard.onDone = () => {
      changed ??= write([{ put: registry().keys.unitFile(hashText(other)), value: other }, unitOp(name, other)]);
    };
    await run();
    await changed;
    const whereNow = async (): Promise<string | null> => {
      await run();
      return machineOf(name);
    };
    await expect.poll(whereNow).toBe(id(2));
    // Nothing else was lost to it but what was in the same transaction, which was then tried by itself.
    expect(lost.every((decision) => decision.name === name)).toBe(true);
  });
  it("leaves a unit that is held alone, and decides on it when it is let go", async () => {
    const { run, pipeline, machineOf } = await seeded(["a.service", "b.service"].map((name) => unitOp(name)));
    expect(pipeline.hold("a.service", true)).toBe(false);
    await run();
    expect([await machineOf("a.service"), await machineOf("b.service")]).toEqual([null, expect.any(String)]);
    expect(pipeline.hold("a.service", false)).toBe(true);
    expect(pipeline.hold("a.service", false)).toBe(false);
    await run();
    expect(await machineOf("a.service")).not.toBeNull();
  });
  it("ends with the error where etcd can't be reached, and goes on from what etcd has then", async () => {
    const { run, pipeline, lost, heard, machineOf } = await seeded(names(1_200).map((name) => unitOp(name)));
    heard.onDone = () => etcd().fail("txn", "unavailable");
    await expect(run()).rejects.toMatchObject({ code: "unavailable" });
    expect([pipeline.inFlight, lost.length > 0]).toEqual([0, true]);
    heard.onDone = () => undefined;
    etcd().fail("txn", null);
    const isPlaced = async (): Promise<boolean> => {
      await run();
      return (await Promise.all(["u0.service", "u1199.service"].map(machineOf))).every((on) => on !== null);
    };
    await expect.poll(isPlaced).toBe(true);
  });
});
