import { describe, expect, it } from "vitest";
import { Keys } from "./keys.ts";
import { cordonOf, machineOf, unitOf, unitStatesOf, unknownOn } from "./readers.ts";
import { ClusterState } from "./state.ts";

const keys = new Keys("/f/");
/** A state that holds these values. */
function holding(values: Readonly<Record<string, object | string>>): ClusterState {
  const state = new ClusterState(keys);
  for (const [key, value] of Object.entries(values))
    state.put({
      key,
      value: typeof value === "string" ? value : JSON.stringify(value),
      createRevision: 1,
      modRevision: 1,
    });
  return state;
}
const report = (hash: string, current: string, more: object = {}) => ({
  ...{ hash, current, load: "loaded", active: "active", sub: "running", ...more },
});

describe("a unit", () => {
  const unit = (more: object) => ({ [keys.unit("a.service")]: { hash: "h1", desiredState: "launched", ...more } });
  it.each([
    ["is in the state that its machine reports", "m1", report("h1", "launched"), "launched"],
    ["is inactive until its machine reports this version", "m1", report("h0", "launched"), "inactive"],
    ["is inactive where another machine reports it", "m2", report("h1", "launched"), "inactive"],
  ])("%s", (_what, machine, said, currentState) => {
    const state = holding({ ...unit({ machineID: "m1" }), [keys.state(machine, "a.service")]: said });
    expect(unitOf(state, "a.service")).toEqual({
      ...{ name: "a.service", hash: "h1", desiredState: "launched", currentState, machineID: "m1", global: false },
    });
  });
  it("that is nowhere is inactive, whatever is still said of it", () => {
    const state = holding({ ...unit({}), [keys.state("m1", "a.service")]: report("h1", "launched") });
    expect(unitOf(state, "a.service")).toMatchObject({ machineID: null, currentState: "inactive" });
  });
  it("that is not reported at all is inactive", () => {
    expect(unitOf(holding(unit({ machineID: "m1" })), "a.service")?.currentState).toBe("inactive");
  });
  it("that is not there is null", () => expect(unitOf(holding({}), "a.service")).toBeNull());
});

describe("what machines say of a unit", () => {
  it("comes by machine ID, whatever was heard first", () => {
    const state = holding({
      [keys.state("m2", "a.service")]: report("h1", "launched"),
      [keys.state("m3", "a.service")]: report("h1", "loaded"),
      [keys.state("m1", "a.service")]: report("h0", "loaded", { error: "no such file" }),
    });
    const systemd = { load: "loaded", active: "active", sub: "running" };
    const rest = { name: "a.service", systemd, error: null, run: null, unknown: false };
    expect(unitStatesOf(state, "a.service")).toEqual([
      { ...rest, machineID: "m1", hash: "h0", current: "loaded", error: "no such file" },
      { ...rest, machineID: "m2", hash: "h1", current: "launched" },
      { ...rest, machineID: "m3", hash: "h1", current: "loaded" },
    ]);
  });
  it("names the machines that have it though the registry does not know it, and none once it does", () => {
    const said = {
      [keys.state("m2", "a.service")]: report("h1", "launched", { unknown: true }),
      [keys.state("m1", "a.service")]: report("h1", "launched", { unknown: true }),
      [keys.state("m3", "a.service")]: report("h1", "launched"),
    };
    expect(unknownOn(holding(said), "a.service")).toEqual(["m1", "m2"]);
    expect(unitStatesOf(holding(said), "a.service").map(({ unknown }) => unknown)).toEqual([true, true, false]);
    for (const record of [{ hash: "h1", desiredState: "inactive" }, "{broken"])
      expect(unknownOn(holding({ ...said, [keys.unit("a.service")]: record }), "a.service")).toEqual([]);
  });
  it("is nothing where none says anything", () => expect(unitStatesOf(holding({}), "a.service")).toEqual([]));
});

describe("a machine", () => {
  const published = { id: "m1", primaryIP: "10.0.0.1", metadata: { a: "1", b: "2" }, version: "2.0" };
  it("has its dynamic metadata over the configured one", () => {
    const state = holding({
      [keys.machine("m1")]: published,
      [keys.machineMetadata("m1", "a")]: "",
      [keys.machineMetadata("m1", "c")]: "3",
    });
    expect(machineOf(state, "m1")).toEqual({
      ...{ id: "m1", primaryIP: "10.0.0.1", version: "2.0", metadata: { b: "2", c: "3" } },
    });
  });
  it("without dynamic metadata has what is configured", () => {
    expect(machineOf(holding({ [keys.machine("m1")]: published }), "m1")?.metadata).toEqual({ a: "1", b: "2" });
  });
  it("that is not there is null", () => expect(machineOf(holding({}), "m1")).toBeNull());
});

it("a cordon that can't be read is one that moves nothing away", () => {
  const state = holding({
    [keys.cordon("m1")]: { drain: true, since: "2026" },
    [keys.cordon("m2")]: '{"drain":"slowly"}',
  });
  expect(["m1", "m2", "m3"].map((id) => cordonOf(state, id)?.drain)).toEqual([true, false, undefined]);
});
