import type { SystemdStates } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { UnitStates } from "./unit-states.ts";

const LOADED: SystemdStates = { load: "loaded", active: "inactive", sub: "dead" };
const UP: SystemdStates = { load: "loaded", active: "active", sub: "running" };
const NOT_FOUND: SystemdStates = { load: "not-found", active: "inactive", sub: "dead" };

function made() {
  const held = new Map<string, SystemdStates>();
  const linked = new Set(["a.service", "b.service"]);
  /** Units whose files systemd has read for a question. */
  const read: string[] = [];
  const states = new UnitStates(
    {
      held: async (names) => new Map([...held].filter(([name]) => names.includes(name))),
      states: async (names) => {
        read.push(...names);
        return new Map(names.map((name) => [name, linked.has(name) ? LOADED : NOT_FOUND]));
      },
    },
    { has: (name) => linked.has(name) },
  );
  return { states, held, linked, read };
}

describe("states of units", () => {
  it("have systemd read the file of a unit at rest once, however often they are asked for", async () => {
    const { states, held, read } = made();
    held.set("b.service", UP);
    for (let look = 0; look < 3; look++) {
      expect([...(await states.of(["a.service", "b.service"]))].sort()).toEqual([
        ["a.service", LOADED],
        ["b.service", UP],
      ]);
    }
    expect(read).toEqual(["a.service"]);
  });
  it("have it read again once the unit was loaded anew, its link is gone, or systemd has reloaded", async () => {
    const { states, linked, read } = made();
    await states.of(["a.service", "b.service"]);
    states.forget(["a.service"]);
    await states.of(["a.service", "b.service"]);
    expect(read).toEqual(["a.service", "b.service", "a.service"]);
    linked.delete("b.service");
    expect((await states.of(["a.service", "b.service"])).get("b.service")).toEqual(NOT_FOUND);
    read.length = 0;
    states.forgetAll();
    await states.of(["a.service"]);
    expect(read).toEqual(["a.service"]);
  });
  it("of what systemd does not know are asked for each time: it may be linked any moment", async () => {
    const { states, read } = made();
    for (let look = 0; look < 2; look++) expect((await states.of(["c.service"])).get("c.service")).toEqual(NOT_FOUND);
    expect(read).toEqual(["c.service", "c.service"]);
  });
});
