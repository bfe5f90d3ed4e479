import { expect, it } from "vitest";
import { MEMBER_NAMES } from "./member-names.ts";

it("every member of every request body is known in any case, those of its parts too", () => {
  const names =
    "after canary currentState desiredState drain dryRun fields follow grep kind limit lines machine machineID maxUnavailable message most name onFailure op options order path pauseSeconds priority section settleSeconds since text unit units until value";
  expect([...MEMBER_NAMES.values()].sort()).toEqual(names.split(" "));
  expect([...MEMBER_NAMES]).toContainEqual(["desiredstate", "desiredState"]);
});
