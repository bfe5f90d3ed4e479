import { expect, it } from "vitest";
import { MEMBER_NAMES } from "./member-names.ts";

it("every member of every request body is known in any case, those of its parts too", () => {
  const names =
    "after currentState desiredState drain dryRun fields follow grep limit lines machine machineID most name op options path priority section since text unit until value";
  expect([...MEMBER_NAMES.values()].sort()).toEqual(names.split(" "));
  expect([...MEMBER_NAMES]).toContainEqual(["desiredstate", "desiredState"]);
});
