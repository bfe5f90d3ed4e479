import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { expect, it } from "vitest";
import { Access } from "./access.ts";

const sha256 = createHash("sha256").update("secret").digest("hex");
const token = { role: "viewer", journal: false, units: null, expires: null, sha256, name: "Vi" } as const;

it("a request's token is looked at once, however often its right is asked for", () => {
  let looks = 0;
  const headers = {
    get authorization() {
      looks++;
      return "Bearer secret";
    },
  };
  const request = { headers } as unknown as FastifyRequest;
  const access = new Access([token]);
  access.check(request, { kind: "read" });
  expect(access.tokenOf(request)?.name).toBe("Vi");
  const holds = Access.watch(request, { kind: "read" });
  expect([holds(access), holds(new Access([])), holds(null), looks]).toEqual([true, false, true, 1]);
});
