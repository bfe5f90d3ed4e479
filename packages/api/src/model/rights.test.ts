import type { ApiToken } from "@fleet/config";
import { describe, expect, it } from "vitest";
import { type Asked, refusalOf } from "./rights.ts";

const NOW = 1_000_000;
const token = (given: Partial<ApiToken>): ApiToken => ({
  ...{ role: "operator", sha256: "a".repeat(64), name: "Jo", journal: true, units: null, expires: null },
  ...given,
});
const VIEWER = { role: "viewer", journal: false } as const;
const web: Asked = { kind: "change", unit: "web@1.service" };
const machine: Asked = { kind: "change", unit: null };

describe("a token", () => {
  it.each<[string, Partial<ApiToken>, Asked, string | null]>([
    ["of a viewer", VIEWER, { kind: "read" }, null],
    ["of a viewer", VIEWER, web, "has role viewer"],
    ["of a viewer", VIEWER, { kind: "journal" }, "may not read journals"],
    ["of a viewer with journal", { ...VIEWER, journal: true }, { kind: "journal" }, null],
    ["of an operator", {}, machine, null],
    ["of an operator", {}, { kind: "journal" }, null],
    ["of an operator without journal", { journal: false }, { kind: "journal" }, "may not read journals"],
    ["with a scope", { units: ["db.service", "web@*"] }, web, null],
    ["with a scope", { units: ["db.service", "web@?.timer"] }, web, "only units that match db.service or web@?.timer"],
    ["with a scope", { units: ["*"] }, machine, "nothing but units that match *"],
    ["with a scope", { units: ["db.service"] }, { kind: "read" }, null],
    ["that expires later", { expires: NOW + 1 }, machine, null],
    ["that expires now", { expires: NOW }, { kind: "read" }, "expired at 1970-01-01T00:16:40.000Z"],
  ])("%s (%o) that asks for %o is answered %s", (_what, given, asked, why) => {
    const refusal = refusalOf(token(given), asked, NOW);
    if (why === null) expect(refusal).toBeNull();
    else
      expect(refusal).toMatchObject({
        status: why.startsWith("expired") ? 401 : 403,
        message: expect.stringContaining(why),
      });
  });
});
