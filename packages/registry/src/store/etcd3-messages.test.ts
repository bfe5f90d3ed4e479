import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { READERS } from "./etcd3-messages.ts";

const require = createRequire(import.meta.url);
const proto = join(dirname(dirname(require.resolve("etcd3"))), "proto", "rpc.proto");
const root = new protobuf.Root().loadSync(proto, { keepCase: true });

const revision = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(2 ** 28, 2 ** 48, 2 ** 49, 2 ** 53 - 1));
const bytes = fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some));
const optional = <T>(values: Record<string, fc.Arbitrary<T>>) => fc.record(values, { requiredKeys: [] });
const header = optional<unknown>({ cluster_id: revision, member_id: revision, revision, raft_term: revision });
const kv = optional<unknown>({
  key: bytes,
  create_revision: revision,
  mod_revision: revision,
  version: revision,
  value: bytes,
  lease: revision,
});
const range = fc.record({ header, kvs: fc.array(kv, { maxLength: 5 }), more: fc.boolean(), count: revision });
const answer = fc.oneof(
  fc.record({ response_range: range }),
  fc.record({ response_put: fc.record({ header, prev_kv: kv }) }),
  fc.record({ response_delete_range: fc.record({ header, deleted: revision, prev_kvs: fc.array(kv) }) }),
);
const MESSAGES: Readonly<Record<string, readonly [type: string, message: fc.Arbitrary<object>]>> = {
  "/etcdserverpb.KV/Range": ["RangeResponse", range],
  "/etcdserverpb.KV/Txn": [
    "TxnResponse",
    fc.record({ header, succeeded: fc.boolean(), responses: fc.array(answer, { maxLength: 5 }) }),
  ],
  "/etcdserverpb.Watch/Watch": [
    "WatchResponse",
    fc.record({
      header,
      watch_id: fc.integer({ min: -1, max: 1000 }),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compact_revision: revision,
      cancel_reason: fc.string({ unit: "grapheme" }),
      fragment: fc.boolean(),
      events: fc.array(optional<unknown>({ type: fc.constantFrom(0, 1), kv, prev_kv: kv }), { maxLength: 5 }),
    }),
  ],
};

/**
 * The same value with every number as a number, for which the general way has texts where they have 64 bits, with texts
 * for bytes, and of the answers within an answer only those that hold keys.
 */
function plain(value: unknown): unknown {
  if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
  if (value instanceof Uint8Array) return plain(Buffer.from(value).toString());
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("response_put" in value || "response_delete_range" in value) return { response_range: null };
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

describe.each(Object.entries(MESSAGES))("an answer of %s, read directly", (path, [name, messages]) => {
  const type = root.lookupType(`etcdserverpb.${name}`);
  const read = READERS.get(path) ?? expect.unreachable();
  const encoded = messages.map((message) => Buffer.from(type.encode(type.fromObject(message)).finish()));

  it("says what it says when it is read the general way", () => {
    fc.assert(
      fc.property(encoded, (wire) => {
        const general = type.toObject(type.decode(wire), { longs: String, enums: String, defaults: true });
        expect(plain(general)).toMatchObject(plain(read(wire)) as object);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is refused where it ends in its middle, or is no message at all, and never read for ever", () => {
    fc.assert(
      fc.property(fc.oneof(encoded, bytes), fc.double({ min: 0, max: 1, noNaN: true }), (wire, share) => {
        const part = wire.subarray(0, Math.floor(wire.length * share));
        try {
          read(part);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
    for (const wire of [[0x0a, 0x05, 0x18], [0x0a], [0x0f], [0x98, 0xff], [0x18, ...Array(11).fill(0xff)]])
      expect(() => read(Buffer.from(wire)), String(wire)).toThrow(RangeError);
  });
});

it("what is read directly is all that comes by the thousand", () => {
  expect([...READERS.keys()]).toEqual(Object.keys(MESSAGES));
});
