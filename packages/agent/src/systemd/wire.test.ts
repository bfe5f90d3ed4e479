import { describe, expect, it } from "vitest";
import { unitOfPath, unitPath } from "./wire.ts";

describe("D-Bus", () => {
  it.each(["a.service", "foo@bar-baz.service", "a\\x2db.mount", "9.timer"])(
    "object paths lead to %s and back",
    (unitName) => {
      expect(unitPath(unitName)).toMatch(/^\/org\/freedesktop\/systemd1\/unit\/[A-Za-z_][A-Za-z0-9_]*$/);
      expect(unitOfPath(unitPath(unitName))).toBe(unitName);
    },
  );
});
