import { encodeState } from "@fleet/domain/cluster";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { MovingStates } from "./moving-states.ts";
import { stateOf } from "./testing/simulated-cluster.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

const UP = stateOf("h", "up");
const key = (machine: string): string => registry().keys.state(machine, "a.service");
function moving(pollMs: number | null = null): { states: MovingStates; changes: () => number } {
  let count = 0;
  const onChanged = (): void => void count++;
  const states = new MovingStates({ registry: registry(), pollMs, onTrouble: () => undefined, onChanged });
  return { states, changes: () => count };
}

describe("the state of a unit that moves", () => {
  it("is undefined until it is known, and null where there is none", async () => {
    await etcd().txn([], [{ put: key("m1"), value: encodeState(UP) }]);
    const { states, changes } = moving();
    expect([states.of("a.service", "m1"), states.of("a.service", "m2")]).toEqual([undefined, undefined]);
    await clock.pass(1);
    expect(changes()).toBeGreaterThan(0);
    expect([states.of("a.service", "m1"), states.of("a.service", "m2")]).toMatchObject([UP, null]);
    await states.close();
  });
  it("follows what its machine says, and is null when that has let go of it", async () => {
    const { states, changes } = moving();
    states.of("a.service", "m1");
    await clock.pass(1);
    const before = changes();
    await etcd().txn([], [{ put: key("m1"), value: encodeState(UP) }]);
    await clock.pass(1);
    expect([states.of("a.service", "m1"), changes()]).toMatchObject([UP, before + 1]);
    await etcd().txn([], [{ delete: key("m1") }]);
    await clock.pass(1);
    expect([states.of("a.service", "m1"), changes()]).toEqual([null, before + 2]);
    expect(etcd().asked.get("range")).toBe(1);
    await states.close();
  });
  it("is not known while it can't be read, and never taken for none", async () => {
    await etcd().txn([], [{ put: key("m1"), value: '{"hash":"h","current":"reloading"}' }]);
    const { states } = moving();
    states.of("a.service", "m1");
    await clock.pass(1);
    expect(states.of("a.service", "m1")).toBeUndefined();
    await etcd().txn([], [{ delete: key("m1") }]);
    await clock.pass(1);
    expect(states.of("a.service", "m1")).toBeNull();
    await states.close();
  });
  it("is of that unit only, not of one whose name begins alike", async () => {
    const { states } = moving();
    states.of("a.service", "m1");
    await etcd().txn([], [{ put: registry().keys.state("m1", "a.service2"), value: encodeState(UP) }]);
    await clock.pass(1);
    expect(states.of("a.service", "m1")).toBeNull();
    await states.close();
  });
  it("is watched no longer when it is forgotten, and is unknown again", async () => {
    const { states } = moving();
    states.of("a.service", "m1");
    states.of("a.service", "m2");
    states.of("b.service", "m1");
    await clock.pass(1);
    expect(etcd().watching).toBe(3);
    states.forget("a.service");
    await clock.pass(1);
    expect(etcd().watching).toBe(1);
    expect(states.of("a.service", "m1")).toBeUndefined();
    await states.close();
    expect(etcd().watching).toBe(0);
  });
  it("is read now and then where watches are disabled", async () => {
    const { states } = moving(1_000);
    states.of("a.service", "m1");
    await etcd().txn([], [{ put: key("m1"), value: encodeState(UP) }]);
    await clock.pass(1_100);
    expect([states.of("a.service", "m1"), etcd().watching]).toMatchObject([UP, 0]);
    await states.close();
  });
});
