import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface MessageType {
  fromObject(value: object): unknown;
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  toObject(message: unknown, options: object): Record<string, unknown>;
}

const require = createRequire(new URL("../packages/registry/package.json", import.meta.url));
const { Root } = require("protobufjs") as { Root: new () => { loadSync(path: string, options: object): RootType } };
interface RootType {
  lookupType(name: string): MessageType;
}
const proto = join(dirname(dirname(require.resolve("etcd3"))), "proto", "rpc.proto");
const root = new Root().loadSync(proto, { keepCase: true });
const { READERS, WRITERS } = require("../../scripts/etcd-messages.cjs") as {
  READERS: Readonly<Record<string, (bytes: Uint8Array) => Record<string, unknown>>>;
  WRITERS: Readonly<Record<string, (message: object) => Uint8Array>>;
};

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
const MESSAGES: Readonly<Record<string, fc.Arbitrary<object>>> = {
  RangeResponse: range,
  TxnResponse: fc.record({ header, succeeded: fc.boolean(), responses: fc.array(answer, { maxLength: 5 }) }),
  WatchResponse: fc.record({
    header,
    watch_id: fc.integer({ min: -1, max: 1000 }),
    created: fc.boolean(),
    canceled: fc.boolean(),
    compact_revision: revision,
    cancel_reason: fc.string({ unit: "grapheme" }),
    fragment: fc.boolean(),
    events: fc.array(optional<unknown>({ type: fc.constantFrom(0, 1), kv, prev_kv: kv }), { maxLength: 5 }),
  }),
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

describe("the executables' own reading of etcd's answers", () => {
  it.each(Object.keys(MESSAGES))("finds in a %s what the general way finds", (name) => {
    const type = root.lookupType(`etcdserverpb.${name}`);
    const read = READERS[`.etcdserverpb.${name}`];
    if (read === undefined) expect.unreachable();
    fc.assert(
      fc.property(MESSAGES[name] as fc.Arbitrary<object>, (message) => {
        const wire = Buffer.from(type.encode(type.fromObject(message)).finish());
        const general = type.toObject(type.decode(wire), { longs: String, enums: String, defaults: true });
        expect(plain(general)).toMatchObject(plain(read(wire)) as object);
      }),
      { numRuns: 2_000 },
    );
  });
});

const key = fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text));
const value = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
const lease = fc.bigInt(1n, 2n ** 63n - 1n).map(String);
const condition = fc.oneof(
  fc.record({ key, target: fc.constant("Mod"), result: fc.constant("Equal"), mod_revision: revision }),
  fc.record({ key, target: fc.constant("Create"), result: fc.constant("Equal"), create_revision: revision }),
);
const operation = fc.oneof(
  fc.record({ request_put: fc.record({ key, value, lease }, { requiredKeys: ["key", "value"] }) }),
  fc.record({ request_delete_range: fc.record({ key }) }),
  fc.record({ request_range: fc.record({ key, keys_only: fc.boolean() }, { requiredKeys: ["key"] }) }),
);
const operations = fc.array(operation, { maxLength: 10 });

describe("the executables' own writing of transactions", () => {
  const type = root.lookupType("etcdserverpb.TxnRequest");
  const write = WRITERS[".etcdserverpb.TxnRequest"] as (message: object) => Uint8Array;
  const asSeen = (wire: Uint8Array): unknown =>
    type.toObject(type.decode(wire), { longs: String, enums: String, arrays: true, bytes: String });

  it("says what the general way says", () => {
    const transaction = fc.record({
      compare: fc.array(condition, { maxLength: 10 }),
      success: operations,
      failure: operations,
    });
    fc.assert(
      fc.property(transaction, (message) => {
        const general = type.encode(type.fromObject(message)).finish();
        expect(asSeen(write(message))).toEqual(asSeen(general));
      }),
      { numRuns: 2_000 },
    );
  });

  it("goes on with one that is longer than any before, and then with a short one", () => {
    for (const length of [1, 300_000, 2]) {
      const put = { request_put: { key: Buffer.from("k"), value: Buffer.alloc(length, "v") } };
      const message = { compare: [], success: [put, put], failure: [] };
      expect(asSeen(write(message))).toEqual(asSeen(type.encode(type.fromObject(message)).finish()));
    }
  });

  it("refuses what it does not know, rather than leave it out", () => {
    const put = { request_put: { key: Buffer.from("k"), value: Buffer.from("v"), prev_kv: true } };
    expect(() => write({ compare: [], success: [put], failure: [] })).toThrow(/how to write prev_kv/);
    const compare = { key: Buffer.from("k"), target: "Mod", result: "Greater", mod_revision: 1 };
    expect(() => write({ compare: [compare], success: [], failure: [] })).toThrow(/how to write Greater/);
  });
});
