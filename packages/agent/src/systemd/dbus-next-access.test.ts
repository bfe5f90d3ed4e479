import type { MessageBus } from "dbus-next";
import { describe, expect, it } from "vitest";
import { accessTo, skipBodies } from "./dbus-next-access.ts";

describe("a dbus-next without what fleet needs of it", () => {
  const stream = { once: () => undefined, destroy: () => undefined };
  it.each<[string, object]>([
    ["MessageBus._connection.stream", { _methodReturnHandlers: {} }],
    ["MessageBus._connection.stream", { _connection: { stream: {} }, _methodReturnHandlers: {} }],
    ["MessageBus._methodReturnHandlers", { _connection: { stream } }],
  ])("is refused for want of %s, in a sentence that says what to install", (what, bus) => {
    expect(() => accessTo(bus as MessageBus)).toThrow(
      `the installed dbus-next has no ${what}, which fleet needs: install the version that package.json of @fleet/agent names`,
    );
  });
  it("is refused for want of a reader of bodies", () => {
    expect(() => skipBodies("s", {})).toThrow("the installed dbus-next has no DBusBuffer.prototype.read");
  });
});

describe("bodies of one signature", () => {
  it("are not decoded, those of others are", () => {
    const reader = { read: (signature: string): unknown => [`decoded ${signature}`], readSimpleType: () => "first" };
    skipBodies("sa{sv}as", reader);
    expect([reader.read("sa{sv}as"), reader.read("uoss")]).toEqual([["first", [], []], ["decoded uoss"]]);
  });
});
