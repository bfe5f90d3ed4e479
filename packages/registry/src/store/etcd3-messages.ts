/**
 * Reads the answers of etcd that come by the thousand straight from their bytes: what fleet looks at in them, and nothing
 * else. The general way makes a message of each answer, and then a plain object of that: three to seven times the work
 * (docs/dependencies.md). Fields and their numbers are those of etcd's rpc.proto and kv.proto; what is read has the names
 * that etcd3 gives, so that either way may be taken.
 */

/** A key and its value: texts already, where the general way has bytes. */
export interface KeyValueMessage {
  key: string;
  value: string;
  create_revision: number;
  mod_revision: number;
}

interface HeaderMessage {
  /** Rounded where it is beyond 2^53: the same for the same cluster. */
  cluster_id: number;
  revision: number;
}

/** Keys of a range. */
export interface RangeMessage {
  header: HeaderMessage | null;
  kvs: KeyValueMessage[];
  more: boolean;
  count: number;
}

/** What became of a transaction; of its operations only those that read have something to say. */
export interface TxnMessage {
  header: HeaderMessage | null;
  succeeded: boolean;
  responses: { response_range: RangeMessage | null }[];
}

/** News of a watch. */
export interface WatchMessage {
  header: HeaderMessage | null;
  watch_id: number;
  created: boolean;
  canceled: boolean;
  compact_revision: number;
  cancel_reason: string;
  fragment: boolean;
  events: { type: "Put" | "Delete"; kv: KeyValueMessage | null }[];
}

/** The readers, by the path of the method that they read answers of. They throw where the bytes are no such message. */
export const READERS: ReadonlyMap<string, (bytes: Buffer) => unknown> = new Map<string, (bytes: Buffer) => unknown>([
  ["/etcdserverpb.KV/Range", (bytes) => readRange(new Wire(bytes), bytes.length)],
  ["/etcdserverpb.KV/Txn", (bytes) => readTxn(new Wire(bytes), bytes.length)],
  ["/etcdserverpb.Watch/Watch", (bytes) => readWatch(new Wire(bytes), bytes.length)],
]);

/** Wire types of fields: a number, eight bytes, bytes with their length before them, four bytes. */
const NUMBER = 0;
const EIGHT_BYTES = 1;
const BYTES = 2;
const FOUR_BYTES = 5;

/** Where the arithmetic of doubles would lose bits: after seven bytes of seven bits. */
const LONG = 2 ** 49;
const LONG_BITS = 49n;
/** A number of 64 bits takes ten bytes at most. */
const MOST_BITS = 70n;

/** A place in bytes of protobuf's wire format. */
class Wire {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A number; one beyond 2^53 is rounded. */
  number(): number {
    const { bytes } = this;
    let value = 0;
    let at = this.at;
    for (let unit = 1; unit < LONG; unit *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed();
      if (byte < 128) {
        this.at = at;
        return value + byte * unit;
      }
      value += (byte & 127) * unit;
    }
    return this.#longNumber(BigInt(value), at);
  }

  isTrue(): boolean {
    return this.number() !== 0;
  }

  text(): string {
    const end = this.end();
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end;
    return text;
  }

  /** Reads a length. Returns where what is that long ends. */
  end(): number {
    const end = this.number() + this.at;
    if (!(end <= this.bytes.length)) throw malformed();
    return end;
  }

  /** Goes past a field that nobody wants to know. */
  skip(tag: number): void {
    const wireType = tag & 7;
    if (wireType === NUMBER) this.number();
    else if (wireType === BYTES) this.at = this.end();
    else if (wireType === EIGHT_BYTES) this.at += 8;
    else if (wireType === FOUR_BYTES) this.at += 4;
    else throw malformed();
  }

  /** A number of which seven bytes are read already. */
  #longNumber(begin: bigint, from: number): number {
    let value = begin;
    let at = from;
    for (let bits = LONG_BITS; bits < MOST_BITS; bits += 7n) {
      const byte = this.bytes[at++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 127) << bits;
      if (byte < 128) {
        this.at = at;
        return Number(BigInt.asIntN(64, value));
      }
    }
    throw malformed();
  }
}

function malformed(): Error {
  return new RangeError("etcd sent a message that ends in its middle");
}

function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

const KV_KEY = tagOf(1, BYTES);
const KV_CREATE_REVISION = tagOf(2, NUMBER);
const KV_MOD_REVISION = tagOf(3, NUMBER);
const KV_VALUE = tagOf(5, BYTES);

function readKeyValue(wire: Wire, end: number): KeyValueMessage {
  const read: KeyValueMessage = { key: "", value: "", create_revision: 0, mod_revision: 0 };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === KV_KEY) read.key = wire.text();
    else if (tag === KV_CREATE_REVISION) read.create_revision = wire.number();
    else if (tag === KV_MOD_REVISION) read.mod_revision = wire.number();
    else if (tag === KV_VALUE) read.value = wire.text();
    else wire.skip(tag);
  }
  return read;
}

/** In each answer. */
const HEADER = tagOf(1, BYTES);
const HEADER_CLUSTER_ID = tagOf(1, NUMBER);
const HEADER_REVISION = tagOf(3, NUMBER);

function readHeader(wire: Wire, end: number): HeaderMessage {
  const read: HeaderMessage = { cluster_id: 0, revision: 0 };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === HEADER_CLUSTER_ID) read.cluster_id = wire.number();
    else if (tag === HEADER_REVISION) read.revision = wire.number();
    else wire.skip(tag);
  }
  return read;
}

const RANGE_KVS = tagOf(2, BYTES);
const RANGE_MORE = tagOf(3, NUMBER);
const RANGE_COUNT = tagOf(4, NUMBER);

function readRange(wire: Wire, end: number): RangeMessage {
  const read: RangeMessage = { header: null, kvs: [], more: false, count: 0 };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === HEADER) read.header = readHeader(wire, wire.end());
    else if (tag === RANGE_KVS) read.kvs.push(readKeyValue(wire, wire.end()));
    else if (tag === RANGE_MORE) read.more = wire.isTrue();
    else if (tag === RANGE_COUNT) read.count = wire.number();
    else wire.skip(tag);
  }
  return read;
}

const TXN_SUCCEEDED = tagOf(2, NUMBER);
const TXN_RESPONSES = tagOf(3, BYTES);
const RESPONSE_RANGE = tagOf(1, BYTES);

function readTxn(wire: Wire, end: number): TxnMessage {
  const read: TxnMessage = { header: null, succeeded: false, responses: [] };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === HEADER) read.header = readHeader(wire, wire.end());
    else if (tag === TXN_SUCCEEDED) read.succeeded = wire.isTrue();
    else if (tag === TXN_RESPONSES) read.responses.push(readResponse(wire, wire.end()));
    else wire.skip(tag);
  }
  return read;
}

function readResponse(wire: Wire, end: number): { response_range: RangeMessage | null } {
  const read: { response_range: RangeMessage | null } = { response_range: null };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === RESPONSE_RANGE) read.response_range = readRange(wire, wire.end());
    else wire.skip(tag);
  }
  return read;
}

const WATCH_ID = tagOf(2, NUMBER);
const WATCH_CREATED = tagOf(3, NUMBER);
const WATCH_CANCELED = tagOf(4, NUMBER);
const WATCH_COMPACT_REVISION = tagOf(5, NUMBER);
const WATCH_CANCEL_REASON = tagOf(6, BYTES);
const WATCH_FRAGMENT = tagOf(7, NUMBER);
const WATCH_EVENTS = tagOf(11, BYTES);

function readWatch(wire: Wire, end: number): WatchMessage {
  const read: WatchMessage = {
    header: null,
    watch_id: 0,
    created: false,
    canceled: false,
    compact_revision: 0,
    cancel_reason: "",
    fragment: false,
    events: [],
  };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === HEADER) read.header = readHeader(wire, wire.end());
    else if (tag === WATCH_ID) read.watch_id = wire.number();
    else if (tag === WATCH_CREATED) read.created = wire.isTrue();
    else if (tag === WATCH_CANCELED) read.canceled = wire.isTrue();
    else if (tag === WATCH_COMPACT_REVISION) read.compact_revision = wire.number();
    else if (tag === WATCH_CANCEL_REASON) read.cancel_reason = wire.text();
    else if (tag === WATCH_FRAGMENT) read.fragment = wire.isTrue();
    else if (tag === WATCH_EVENTS) read.events.push(readEvent(wire, wire.end()));
    else wire.skip(tag);
  }
  return read;
}

const EVENT_TYPE = tagOf(1, NUMBER);
const EVENT_KV = tagOf(2, BYTES);
const DELETE = 1;

function readEvent(wire: Wire, end: number): WatchMessage["events"][number] {
  const read: WatchMessage["events"][number] = { type: "Put", kv: null };
  while (wire.at < end) {
    const tag = wire.number();
    if (tag === EVENT_TYPE) read.type = wire.number() === DELETE ? "Delete" : "Put";
    else if (tag === EVENT_KV) read.kv = readKeyValue(wire, wire.end());
    else wire.skip(tag);
  }
  return read;
}
