import { describe, expect, it } from "vitest";
import { cluster, id, settle, three } from "./testing/clusters.ts";
import { explainWaiting, waitingText } from "./waiting.ts";

describe("explaining", () => {
  it("counts machines by the reason why a unit can't be there", () => {
    const model = cluster(
      [{ id: id(1), metadata: { a: "1" } }, { id: id(2) }, { id: id(3) }],
      [
        { name: "x@1.service", machineID: id(1) },
        { name: "x@2.service", lines: "MachineMetadata=a=1\nConflicts=x@*" },
      ],
    );
    settle(model);
    const waiting = explainWaiting(model, "x@2.service");
    expect(waiting && waitingText(waiting)).toBe(
      "unit x@2.service is pending: none of 3 machines fits: 2: its metadata lacks a=1; 1: it conflicts with x@1.service there",
    );
    expect(explainWaiting(model, "x@1.service")).toBeNull();
  });
  it("says of units that follow each other that they do", () => {
    const model = cluster(three, [
      { name: "a.service", lines: "MachineOf=b.service" },
      { name: "b.service", lines: "MachineOf=a.service" },
    ]);
    settle(model);
    expect(explainWaiting(model, "a.service")?.reasons).toEqual([
      {
        ...{ machines: 3, reason: "it and b.service follow each other by MachineOf: remove one of the two" },
        examples: [id(1), id(2), id(3)],
      },
    ]);
  });
  it("says nothing of units that do not wait", () => {
    const model = cluster(three, [
      { name: "inactive.service", desiredState: "inactive" },
      { name: "template@.service" },
      { name: "placed.service", machineID: id(1) },
    ]);
    const names = ["unknown.service", "inactive.service", "template@.service", "placed.service"];
    expect(names.map((name) => explainWaiting(model, name))).toEqual([null, null, null, null]);
  });
  it("says that there is no machine", () => {
    const waiting = explainWaiting(cluster([], [{ name: "a.service" }]), "a.service");
    expect(waiting).toEqual({ name: "a.service", machines: 0, reasons: [] });
    expect(waiting && waitingText(waiting)).toBe("unit a.service is pending: there is no machine");
  });
  it("says of machines that fit that the unit is about to be placed, before the plan has looked", () => {
    const model = cluster([...three].reverse(), [{ name: "a.service", lines: `MachineID=${id(2)}` }]);
    expect(explainWaiting(model, "a.service")?.reasons).toEqual([
      { machines: 2, reason: `its ID is not MachineID=${id(2)}`, examples: [id(1), id(3)] },
      { machines: 1, reason: "the unit fits, and is about to be placed", examples: [id(2)] },
    ]);
  });
});
