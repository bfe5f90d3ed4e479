import { hashUnitFile } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import type { MachineInfo, Placement, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { reasonOf } from "./why-not.ts";

const unit: UnitInfo = {
  name: "a.service",
  options: [],
  desiredState: "launched",
  currentState: "loaded",
  machineID: "m",
  hasEnded: false,
};
const homeless: UnitInfo = { ...unit, currentState: "inactive", machineID: null };
const global: UnitInfo = { ...unit, currentState: null, machineID: null };
const state: StateInfo = {
  name: "a.service",
  hash: hashUnitFile([]),
  machineID: "m",
  load: "loaded",
  active: "activating",
  sub: "start-pre",
  error: null,
  current: "launched",
  run: null,
};
const up: StateInfo = { ...state, machineID: "n", active: "active", sub: "running" };
const nowhere: Placement = {
  name: "a.service",
  desiredState: "launched",
  global: false,
  machines: 2,
  fitting: 0,
  summary: "it waits",
  reasons: [{ reason: "its metadata lacks disk=ssd", machines: 2, examples: [] }],
};
const machine: MachineInfo = {
  id: "m",
  primaryIP: "192.0.2.9",
  hostname: "node1",
  version: null,
  metadata: {},
  state: null,
  since: null,
};
const start = { state: "launched", systemd: "up" } as const;

it.each([
  [
    "by its machine's error",
    unit,
    [{ ...state, error: "no space" }],
    null,
    "a.service is activating (start-pre) on node1: no space",
  ],
  ["by why it fits nowhere", homeless, [], nowhere, "a.service is pending: its metadata lacks disk=ssd"],
  ["by that it waits for a machine", homeless, [], { ...nowhere, fitting: 1 }, "a.service is pending"],
  ["by that it waits, where nobody can say why", homeless, [], null, "a.service is pending"],
  [
    "by the machine that has not let go of it",
    homeless,
    [{ ...state, active: "deactivating", sub: "stop-sigterm" }],
    null,
    "a.service is pending, and deactivating (stop-sigterm) on node1",
  ],
  ["by systemd's states", unit, [state], null, "a.service is activating (start-pre) on node1"],
  ["by the state that fleet has", unit, [], null, "a.service is loaded"],
  ["as unknown where it is not there", undefined, [], null, "a.service is unknown"],
  ["by the copies that are not up", global, [state, up], null, "a.service is activating (start-pre) on node1"],
  [
    "by the machines that have no copy yet",
    global,
    [up],
    { ...nowhere, fitting: 3 },
    "a.service runs on 1 of 3 machines",
  ],
  ["by nothing more than that, where nobody can say", global, [up], null, "a.service does not run on all machines yet"],
])("a unit that is not there yet is explained %s", (_name, one, own, placement, reason) => {
  expect(reasonOf("a.service", one, own, placement, start, new Map([["m", machine]]))).toBe(reason);
});
