import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MachineOrder } from "./machine-order.ts";
import { id } from "./testing/clusters.ts";

it("keeps machines in order of load and ID, whatever happens to them", () => {
  const change = fc.tuple(
    fc.integer({ min: 0, max: 9 }).map(id),
    fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
  );
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const order = new MachineOrder();
      const plain = new Map<string, number>();
      for (const [machine, load] of changes) {
        if (load === null) {
          order.delete(machine);
          plain.delete(machine);
        } else {
          order.set(machine, load);
          plain.set(machine, load);
        }
      }
      expect([...order]).toEqual(
        [...plain].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([machine]) => machine),
      );
    }),
  );
});

describe("machines by load", () => {
  const order = (): MachineOrder => {
    const machines = new MachineOrder();
    for (const [machine, load] of [
      ["b", 1],
      ["a", 1],
      ["d", 0],
      ["c", 2],
    ] as const)
      machines.set(machine, load);
    return machines;
  };
  it("are found in order, the first that passes", () => {
    expect(order().find(() => true)).toBe("d");
    expect(order().find((machine) => machine !== "d")).toBe("a");
    expect(order().find((machine) => machine === "c")).toBe("c");
    expect(order().find(() => false)).toBeUndefined();
  });
  it("sort those that are given and known", () => {
    expect(order().sorted(["c", "unknown", "b", "a", "d"])).toEqual(["d", "a", "b", "c"]);
    expect(order().sorted(["a", "b"])).toEqual(["a", "b"]);
  });
  it("know how many there are, and what each carries", () => {
    const machines = order();
    machines.set("a", 5);
    machines.delete("b");
    machines.delete("unknown");
    expect([machines.size, machines.load("a"), machines.load("b")]).toEqual([3, 5, undefined]);
    expect([...machines]).toEqual(["d", "c", "a"]);
  });
});
