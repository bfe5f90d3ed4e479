import { expect, it } from "vitest";
import { MEMBER_NAMES } from "./member-names.ts";

it("every member of every request body is known in any case, those of its parts too", () => {
  const names = "currentState desiredState drain dryRun limit machineID most name op options path section text value";
  expect([...MEMBER_NAMES.values()].sort()).toEqual(names.split(" "));
  expect([...MEMBER_NAMES]).toContainEqual(["desiredstate", "desiredState"]);
});
