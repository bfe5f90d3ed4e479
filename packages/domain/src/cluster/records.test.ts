import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Keys } from "./keys.ts";
import { ClusterState } from "./state.ts";

const CORPUS = JSON.parse(
  readFileSync(new URL("../../../../fuzz/corpus/values.json", import.meta.url), "utf8"),
) as readonly string[];

const keys = new Keys("/f/");
const ID = "0".repeat(32);
const KINDS = [
  keys.unit("a.service"),
  keys.unitFile("0".repeat(40)),
  keys.schedule(ID, "a.service"),
  keys.global("a.service"),
  keys.state(ID, "a.service"),
  keys.machine(ID),
  keys.machineMetadata(ID, "key"),
  keys.cordon(ID),
  keys.move("a.service"),
  keys.leader(),
  keys.engineVersion(),
];

/** Takes a value in under a key, over a good one and away again. */
function take(key: string, value: string): void {
  const state = new ClusterState(keys);
  state.put({ key, value: "{}", createRevision: 1, modRevision: 1 });
  state.put({ key, value, createRevision: 1, modRevision: 2 });
  state.delete(key, 3);
  expect(state.malformed.size).toBe(0);
}

describe("every value that etcd may hold is read without a crash, and goes without a trace", () => {
  it.each(KINDS)("under %s, those that were found once", (key) => {
    for (const value of CORPUS) take(key, value);
  });
  it("under any key of fleet's, whatever it is", () => {
    const json = fc.oneof(fc.json(), fc.string(), fc.constantFrom(...CORPUS));
    fc.assert(fc.property(fc.constantFrom(...KINDS), json, take), { numRuns: 2_000 });
  });
  it("under keys that fleet does not know", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (key, value) => take(`/f/${key}`, value)),
      { numRuns: 1_000 },
    );
  });
});
