import fc from "fast-check";
import { id } from "./clusters.ts";

/** The units of every random cluster. */
export const names = ["a@1", "a@2", "b@1", "b@2", "c", "d", "e"].map((name) => `${name}.service`);
/** A unit of a name, whatever it asks for. */
export const unitArbitrary = (name: string) =>
  fc.record({
    name: fc.constant(name),
    desiredState: fc.constantFrom("launched", "launched", "loaded", "inactive" as const),
    lines: fc.constantFrom(
      "",
      "",
      "MachineMetadata=a=1",
      "MachineMetadata=a=1\nMachineMetadata=a=2\nMachineMetadata=b=1",
      "Conflicts=a@*",
      "Conflicts=b@* c*",
      `MachineID=${id(1)}`,
      `MachineID=${id(2).slice(0, 8)}`,
      "MachineOf=c.service",
      "Replaces=c.service b@*",
      "Replaces=d*",
      "Global=true",
      "Global=true\nConflicts=d*",
      "Global=true\nMachineMetadata=a=2",
      "Global=true\nWeight=3",
      "Weight=2",
      "MachineMetadata=a!=1",
      "MachineMetadata=n>=5\nMachineMetadata=n<=9",
      "PreferMetadata=a=1\nPreferMetadata=b!=1",
      "PreferApart=b@* c*",
      "Spread=a",
      "Spread=a\nPreferApart=a@*\nWeight=4",
    ),
  });
/** A few machines. */
export const machineArbitrary = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 }).chain((ids) =>
  fc.tuple(
    ...ids.map((n) =>
      fc.record({
        id: fc.constant(id(n)),
        metadata: fc.constantFrom<Record<string, string>>(
          {},
          { a: "1" },
          { a: "2", b: "1" },
          { b: "1", n: "4" },
          { a: "1", n: "7" },
          { n: "many" },
        ),
        isCordoned: fc.constantFrom(false, false, false, true),
      }),
    ),
  ),
);
/** Machines, and a unit of each name. */
export const clusterArbitrary = fc.tuple(machineArbitrary, fc.tuple(...names.map(unitArbitrary)));
