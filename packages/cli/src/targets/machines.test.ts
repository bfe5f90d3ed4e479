import { describe, expect, it } from "vitest";
import type { MachineInfo } from "../client/cluster-client.ts";
import { machinesNamed, onlyMachine } from "./machines.ts";

const machine = (id: string, hostname: string | null, primaryIP: string): MachineInfo => ({
  ...{ id, hostname, primaryIP, version: null, metadata: {}, state: null, since: null },
});
const machines = [
  machine("abc1", "node1.example", "192.0.2.1"),
  machine("abc2", "node2", "192.0.2.2"),
  machine("abc", null, "192.0.2.3"),
  machine("node2f", "twin", "192.0.2.4"),
  machine("fed", "twin", "192.0.2.5"),
];

describe("a machine", () => {
  it.each([
    ["its whole ID", "abc", "abc"],
    ["the beginning of its ID", "fe", "fed"],
    ["its host name", "node1.example", "abc1"],
    ["its host name's first part", "node1", "abc1"],
    ["its host name before another one's ID", "node2", "abc2"],
    ["its address", "192.0.2.3", "abc"],
  ])("is found by %s", (_how, typed, id) => {
    expect(onlyMachine(machines, typed).id).toBe(id);
  });
  it("is not guessed among several, nor where there is none", () => {
    expect(() => onlyMachine(machines, "twin")).toThrow('machine "twin" is ambiguous: node2f, fed');
    expect(() => onlyMachine(machines, "")).toThrow("Machine  does not exist");
    expect(() => onlyMachine(machines, "none")).toThrow("Machine none does not exist");
  });
  it("that is named twice counts once", () => {
    expect(machinesNamed(machines, ["node1", "abc1", "fed"]).map(({ id }) => id)).toEqual(["abc1", "fed"]);
  });
});
