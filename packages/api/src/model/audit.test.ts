import { expect, it } from "vitest";
import { auditRecord, auditSentence } from "./audit.ts";

const nobody = { token: null, certificate: null, peer: null, address: "192.0.2.1" };
const record = (body: unknown) =>
  auditRecord(nobody, { operation: "X", path: "/x", body }, { status: 204, error: null }, new Date(0));

it("keeps what is asked for and no text, and bounds it", () => {
  const options = [{ section: "Service", name: "Environment", value: "PASSWORD=secret" }];
  const { change, ...rest } = record({ name: "x", options, text: "secret", desiredState: "x".repeat(1000), most: 3 });
  expect(JSON.stringify([change, rest])).not.toContain("secret");
  expect(change).toEqual({ desiredState: `${"x".repeat(200)}…`, most: 3, options: 1 });
  const operations = Array.from({ length: 25 }, (_, index) => ({
    op: "add",
    path: `/m/metadata/k${index}`,
    value: "v",
  }));
  expect(record(operations).change).toMatchObject({
    operations: expect.arrayContaining(['{"op":"add","path":"/m/metadata/k0","value":"v"}']),
    more: 5,
  });
  for (const body of [undefined, null, "x", 1, {}]) expect(record(body)).not.toHaveProperty("change");
});
it("names everybody whom it knows", () => {
  expect(auditSentence(record({}))).toBe("audit: X /x by somebody from 192.0.2.1: 204");
  const sentence = auditSentence({
    ...record({}),
    token: "Jo",
    certificate: "jo.example",
    uid: 7,
    pid: 8,
    from: "unix",
  });
  expect(sentence).toBe("audit: X /x by Jo, jo.example, uid 7, pid 8 from unix: 204");
});
