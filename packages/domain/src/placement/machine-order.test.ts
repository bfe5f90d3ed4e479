import fc from "fast-check";
import { expect, it } from "vitest";
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
