import { readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";
import { expect, it } from "vitest";
import { LINK_SERVICE } from "./contract.ts";
import { LINK_DESCRIPTOR } from "./descriptor.ts";

it("descriptor.ts is made of link.proto (scripts/link-descriptor.ts)", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "link.proto"), "utf8");
  const { root } = protobuf.parse(text, { keepCase: false });
  expect(LINK_DESCRIPTOR).toEqual(root.resolveAll().toJSON());
});

it("what is not set is absent, and numbers of 64 bits are numbers", () => {
  const { requestSerialize, requestDeserialize } = LINK_SERVICE.answer;
  const status = { unit: "a.service", memoryBytes: 5_000_000_000, sinceUs: 1_795_669_475_782_123, restarts: 0 };
  expect(requestDeserialize(requestSerialize({ status }))).toEqual({
    status: { ...status, dropIns: [], triggeredBy: [], triggers: [], processes: [] },
  });
});

it("a verb that this version does not know is a question without one", () => {
  const { responseDeserialize } = LINK_SERVICE.answer;
  // Field 9 of Question, which no version has yet, in field 1 of FromApi.
  expect(responseDeserialize(Buffer.from([0x0a, 0x02, 0x4a, 0x00]))).toEqual({ question: {} });
});
