import { describe, expect, it } from "vitest";
import { startTrouble } from "./start-outcome.ts";

describe("what went wrong with a start", () => {
  it.each(["failed", "timeout", "dependency", "assert", "invalid", "unsupported", "collected", "once"])(
    "is told by the job's result where the unit is down: %s",
    (result) => expect(startTrouble(result, { active: "inactive" })).toContain(`(job result ${result})`),
  );
  it.each(["done", "skipped", "canceled", "merged"])("is nothing where the job was %s", (result) => {
    expect(startTrouble(result, { active: "inactive" })).toBeNull();
  });
  it.each(["failed", "activating", "active"])("is nothing where the unit's state says it: %s", (active) => {
    expect(startTrouble("failed", { active })).toBeNull();
  });
});
