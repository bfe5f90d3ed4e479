// Reads the three answers of etcd that come by the thousand: what fleet's etcd3-client.ts looks at, and nothing else. The
// general way makes a message, then a plain object of it, with a string for each of a key's four numbers: three to seven
// times the work (docs/dependencies.md). Fields and their numbers are those of etcd's rpc.proto and kv.proto.
const { BufferReader } = require("protobufjs/minimal");

/** A field's tag: its number and its wire type, 0 for numbers, 2 for what has a length. */
const NUMBER = 0;
const BYTES = 2;
const tag = (field, wireType) => (field << 3) | wireType;

/** Reads fields until `end`; `onField` returns false for those that it does not know, which are skipped. */
function fields(reader, end, onField) {
  while (reader.pos < end) {
    const found = reader.uint32();
    if (onField(found) === false) reader.skipType(found & 7);
  }
}

function ending(reader) {
  const length = reader.uint32();
  return reader.pos + length;
}

/** A number that fleet does arithmetic with: revisions, watch IDs. */
function number(reader) {
  const { buf } = reader;
  let value = 0;
  for (let at = reader.pos, unit = 1; unit < 2 ** 49; unit *= 128) {
    const byte = buf[at++];
    value += (byte & 127) * unit;
    if (byte < 128) {
      reader.pos = at;
      return value;
    }
  }
  return Number(reader.int64());
}

function keyValue(reader, end) {
  const read = { key: EMPTY, value: EMPTY, create_revision: 0, mod_revision: 0 };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.key = reader.bytes();
    else if (found === tag(2, NUMBER)) read.create_revision = number(reader);
    else if (found === tag(3, NUMBER)) read.mod_revision = number(reader);
    else if (found === tag(5, BYTES)) read.value = reader.bytes();
    else return false;
  });
  return read;
}
const EMPTY = Buffer.alloc(0);

function header(reader, end) {
  const read = { revision: 0 };
  fields(reader, end, (found) => {
    if (found === tag(3, NUMBER)) read.revision = number(reader);
    else return false;
  });
  return read;
}

function rangeResponse(reader, end) {
  const read = { header: null, kvs: [], more: false };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.header = header(reader, ending(reader));
    else if (found === tag(2, BYTES)) read.kvs.push(keyValue(reader, ending(reader)));
    else if (found === tag(3, NUMBER)) read.more = reader.bool();
    else return false;
  });
  return read;
}

function responseOp(reader, end) {
  const read = { response_range: null };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.response_range = rangeResponse(reader, ending(reader));
    else return false;
  });
  return read;
}

function txnResponse(reader, end) {
  const read = { header: null, succeeded: false, responses: [] };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.header = header(reader, ending(reader));
    else if (found === tag(2, NUMBER)) read.succeeded = reader.bool();
    else if (found === tag(3, BYTES)) read.responses.push(responseOp(reader, ending(reader)));
    else return false;
  });
  return read;
}

function event(reader, end) {
  const read = { type: "Put", kv: null };
  fields(reader, end, (found) => {
    if (found === tag(1, NUMBER)) read.type = reader.int32() === 1 ? "Delete" : "Put";
    else if (found === tag(2, BYTES)) read.kv = keyValue(reader, ending(reader));
    else return false;
  });
  return read;
}

function watchResponse(reader, end) {
  const read = {
    header: null,
    watch_id: 0,
    created: false,
    canceled: false,
    compact_revision: 0,
    cancel_reason: "",
    fragment: false,
    events: [],
  };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.header = header(reader, ending(reader));
    else if (found === tag(2, NUMBER)) read.watch_id = number(reader);
    else if (found === tag(3, NUMBER)) read.created = reader.bool();
    else if (found === tag(4, NUMBER)) read.canceled = reader.bool();
    else if (found === tag(5, NUMBER)) read.compact_revision = number(reader);
    else if (found === tag(6, BYTES)) read.cancel_reason = reader.string();
    else if (found === tag(7, NUMBER)) read.fragment = reader.bool();
    else if (found === tag(11, BYTES)) read.events.push(event(reader, ending(reader)));
    else return false;
  });
  return read;
}

const reading = (read) => (bytes) => read(new BufferReader(bytes), bytes.length);

/** By the message's full name. */
exports.READERS = {
  ".etcdserverpb.RangeResponse": reading(rangeResponse),
  ".etcdserverpb.TxnResponse": reading(txnResponse),
  ".etcdserverpb.WatchResponse": reading(watchResponse),
};
