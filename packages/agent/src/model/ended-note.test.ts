import type { StateRecord } from "@fleet/domain/cluster";
import { describe, expect, it } from "vitest";
import { endedNote } from "./ended-note.ts";

const entry = { hash: "h1", desiredState: "launched" } as const;
const rest: StateRecord = {
  ...{ hash: "h1", current: "launched", error: null },
  systemd: { load: "loaded", active: "inactive", sub: "dead" },
};
const run = { result: "success", exitStatus: 0, exitSignal: null, restarts: 1 };
const note = { hash: "h1" };

describe("the note that a oneshot has ended", () => {
  it.each<[string, StateRecord | null, Parameters<typeof endedNote>[1], object | null | undefined]>([
    ["is there once it is at rest", rest, entry, note],
    ["is there when it ended well after restarts", { ...rest, run }, entry, note],
    ["is not made of a run that failed", { ...rest, run: { ...run, result: "signal" } }, entry, undefined],
    ["is not made where something is wrong", { ...rest, error: "a dependency failed" }, entry, undefined],
    [
      "is not made of a unit that systemd does not find",
      { ...rest, systemd: { ...rest.systemd, load: "not-found" } },
      entry,
      undefined,
    ],
    ["goes when it runs again", { ...rest, systemd: { ...rest.systemd, active: "activating" } }, entry, null],
    ["goes when it has failed", { ...rest, systemd: { ...rest.systemd, active: "failed" } }, entry, null],
    ["goes when it is another version", rest, { ...entry, hash: "h2" }, null],
    ["goes when it is to be loaded only", rest, { ...entry, desiredState: "loaded" }, null],
    ["stays while the agent takes its units down", { ...rest, current: "loaded" }, entry, undefined],
    ["stays when the unit is gone from the machine", null, entry, undefined],
    ["stays when the engine has taken it off the machine", rest, undefined, undefined],
  ])("%s", (_what, state, scheduled, expected) => {
    expect(endedNote(state, scheduled, () => true)).toEqual(expected);
  });
  it("is not made of a unit that is no oneshot", () => {
    expect(endedNote(rest, entry, () => false)).toBeUndefined();
  });
});
