import { expect, it } from "vitest";
import type { Placement, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { reasonOf } from "./why-not.ts";

const unit: UnitInfo = {
  name: "a.service",
  options: [],
  desiredState: "launched",
  currentState: "loaded",
  machineID: "m",
};
const homeless: UnitInfo = { ...unit, currentState: "inactive", machineID: null };
const state: StateInfo = {
  name: "a.service",
  hash: "",
  machineID: "m",
  load: "loaded",
  active: "activating",
  sub: "start-pre",
  error: null,
};
const nowhere: Placement = {
  name: "a.service",
  desiredState: "launched",
  global: false,
  machines: 2,
  fitting: 0,
  summary: "it waits",
  reasons: [{ reason: "its metadata lacks disk=ssd", machines: 2, examples: [] }],
};

it.each([
  ["by its machine's error before all else", unit, { ...state, error: "no space" }, null, "a.service: no space"],
  [
    "by why it fits nowhere",
    homeless,
    undefined,
    nowhere,
    "a.service is on no machine yet: its metadata lacks disk=ssd",
  ],
  ["by that it waits for a machine", homeless, undefined, { ...nowhere, fitting: 1 }, "a.service is on no machine yet"],
  ["by that it waits, where nobody can say why", homeless, undefined, null, "a.service is on no machine yet"],
  ["by both states", unit, state, null, "a.service is loaded, activating (start-pre)"],
  ["by the state that fleet has", unit, undefined, null, "a.service is loaded"],
  ["as unknown where it is not there", undefined, undefined, null, "a.service is unknown"],
])("a unit that is not there yet is explained %s", (_name, one, own, placement, reason) => {
  expect(reasonOf("a.service", one, own, placement)).toBe(reason);
});
