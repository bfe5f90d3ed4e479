import { describe, expect, it } from "vitest";
import { conditionOf, isDesiredState } from "./states.ts";

describe("a desired state", () => {
  it.each(["inactive", "loaded", "launched"])("is %s", (text) => expect(isDesiredState(text)).toBe(true));
  it.each(["", "active", "Loaded", null, undefined, 1, ["loaded"]])("is not %j", (text) => {
    expect(isDesiredState(text)).toBe(false);
  });
});

describe("by systemd's word a unit", () => {
  it.each([
    ["is up while it is active", "active", "running", "up"],
    ["is up while it reads its configuration anew", "reloading", "reload", "up"],
    ["is up while its mount is refreshed", "refreshing", "refresh", "up"],
    ["changes while it starts", "activating", "start", "changing"],
    ["changes while it stops", "deactivating", "stop-sigterm", "changing"],
    ["changes in a state that this version does not know", "dreaming", "deep", "changing"],
    ["retries while systemd is about to start it again", "activating", "auto-restart", "retrying"],
    ["retries while systemd has put its next start into its queue", "activating", "auto-restart-queued", "retrying"],
    ["has failed", "failed", "failed", "failed"],
    ["rests when it is inactive", "inactive", "dead", "at-rest"],
  ])("%s", (_what, active, sub, condition) => expect(conditionOf({ active, sub })).toBe(condition));
});
