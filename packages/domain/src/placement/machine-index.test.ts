import { describe, expect, it } from "vitest";
import { MachineIndex } from "./machine-index.ts";
import { id, requirementsOf } from "./testing/clusters.ts";

describe("machines to try", () => {
  const M1 = id(1);
  const SAME_SHORT = `${M1.slice(0, 8)}${"0".repeat(24)}`;
  function index(): MachineIndex {
    const machines = new MachineIndex();
    machines.set(id(1), { a: "1", b: "1" }, 3);
    machines.set(id(2), { a: "1" }, 1);
    machines.set(id(3), { a: "2" }, 2);
    for (let n = 4; n <= 20; n++) machines.set(id(n), {}, n);
    return machines;
  }
  const wanted = (lines: string) => requirementsOf({ name: "u.service", lines }).metadata;
  const tried = (machines: MachineIndex, lines: string): readonly string[] => [...machines.candidates(wanted(lines))];
  it("are all, the least loaded first, where no metadata is asked for", () => {
    expect(tried(index(), "").slice(0, 4)).toEqual([id(2), id(3), id(1), id(4)]);
  });
  it.each([
    ["those with the value", "MachineMetadata=a=1", [id(2), id(1)]],
    ["those with the rarest of the values", "MachineMetadata=a=1\nMachineMetadata=b=1", [id(1)]],
    ["those with the rarest of the values, whichever comes first", "MachineMetadata=b=1\nMachineMetadata=a=1", [id(1)]],
    ["those with one of several values, in order", "MachineMetadata=a=1\nMachineMetadata=a=2", [id(2), id(3), id(1)]],
    ["none where no machine has the value", "MachineMetadata=a=3", []],
    ["none where no machine has the key", "MachineMetadata=a=1\nMachineMetadata=c=1", []],
  ])("are %s", (_what, lines, machines) => expect(tried(index(), lines)).toEqual(machines));
  it("are all where several values take in a good part of them", () => {
    const machines = index();
    for (let n = 4; n <= 6; n++) machines.set(id(n), { a: "2" }, n);
    expect(tried(machines, "MachineMetadata=a=1\nMachineMetadata=a=2")).toHaveLength(20);
  });
  it("are not those that are gone, or have other metadata", () => {
    const machines = index();
    machines.delete(id(2), { a: "1" });
    expect(tried(machines, "MachineMetadata=a=1")).toEqual([id(1)]);
    machines.delete(id(1), { a: "1", b: "1" });
    expect(tried(machines, "MachineMetadata=a=1")).toEqual([]);
    expect([machines.named(M1), machines.named(M1.slice(0, 8))]).toEqual([[], []]);
  });
  it("of an ID are that machine, of a short one those that have it, the least loaded first", () => {
    const machines = index();
    machines.set(SAME_SHORT, {}, 0);
    expect(machines.named(M1)).toEqual([M1]);
    expect(machines.named(M1.slice(0, 8))).toEqual([SAME_SHORT, M1]);
    expect(machines.named("none")).toEqual([]);
    machines.set(SAME_SHORT, {}, 9);
    expect(machines.named(M1.slice(0, 8))).toEqual([M1, SAME_SHORT]);
    machines.delete(M1, {});
    expect(machines.named(M1.slice(0, 8))).toEqual([SAME_SHORT]);
  });
});
