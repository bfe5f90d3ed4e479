// Reads the three answers of etcd that come by the thousand, and writes the request that goes by the thousand: what fleet's
// etcd3-client.ts looks at and sends, and nothing else. The general way makes a message of each, and lists of what is to be
// read or written: three to seven times the work (docs/dependencies.md). Fields and their numbers are those of etcd's
// rpc.proto and kv.proto.
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

/** Its key and value are texts already, which etcd3-client.ts asks bytes for. */
function keyValue(reader, end) {
  const read = { key: "", value: "", create_revision: 0, mod_revision: 0 };
  fields(reader, end, (found) => {
    if (found === tag(1, BYTES)) read.key = reader.string();
    else if (found === tag(2, NUMBER)) read.create_revision = number(reader);
    else if (found === tag(3, NUMBER)) read.mod_revision = number(reader);
    else if (found === tag(5, BYTES)) read.value = reader.string();
    else return false;
  });
  return read;
}

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

/**
 * Messages are written from their end to their start, so that the length of a part is known when it is to stand before
 * it. The buffer is used for one message after the other; what goes out is a copy.
 */
let buffer = Buffer.allocUnsafeSlow(65_536);
let start = buffer.length;

/** Makes room for so many bytes before what is written; returns where they begin. */
function room(length) {
  if (start < length) {
    const written = buffer.length - start;
    const larger = Buffer.allocUnsafeSlow(2 * (buffer.length + length));
    buffer.copy(larger, larger.length - written, start);
    buffer = larger;
    start = larger.length - written;
  }
  start -= length;
  return start;
}

const INT = 2 ** 31;

function writeNumber(value) {
  let length = 1;
  for (let rest = value; rest >= 128; rest = rest < INT ? rest >>> 7 : Math.floor(rest / 128)) length++;
  let at = room(length);
  let rest = value;
  for (; rest >= INT; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 128;
  for (; rest >= 128; rest >>>= 7) buffer[at++] = (rest & 127) | 128;
  buffer[at] = rest;
}

/** An ID of 64 bits, as text. */
function writeID(text) {
  const bytes = [];
  let rest = BigInt(text);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  buffer.set([...bytes, Number(rest)], room(bytes.length + 1));
}

const SHORT = 40;

function writeBytes(bytes) {
  const { length } = bytes;
  const at = room(length);
  if (length < SHORT) for (let index = 0; index < length; index++) buffer[at + index] = bytes[index];
  else buffer.set(bytes, at);
  writeNumber(length);
}

function writeFields(message, known) {
  for (const member in message) {
    const write = known[member];
    if (write === undefined) throw new Error(`scripts/etcd-messages.cjs does not know how to write ${member}`);
    write(message[member]);
  }
}

const part = (known) => (message) => {
  const end = buffer.length - start;
  writeFields(message, known);
  writeNumber(buffer.length - start - end);
};

const field = (number, wireType, write) => (value) => {
  write(value);
  writeNumber(tag(number, wireType));
};

const list = (number, write) => (values) => {
  for (let index = values.length - 1; index >= 0; index--) {
    write(values[index]);
    writeNumber(tag(number, BYTES));
  }
};

const KEY = field(1, BYTES, writeBytes);
const OPERATION = part({
  request_range: field(
    1,
    BYTES,
    part({ key: KEY, keys_only: field(8, NUMBER, (isSet) => writeNumber(isSet ? 1 : 0)) }),
  ),
  request_put: field(
    2,
    BYTES,
    part({ key: KEY, value: field(2, BYTES, writeBytes), lease: field(3, NUMBER, writeID) }),
  ),
  request_delete_range: field(3, BYTES, part({ key: KEY })),
});
const oneOf = (numbers) => (word) => {
  if (numbers[word] === undefined) throw new Error(`scripts/etcd-messages.cjs does not know how to write ${word}`);
  writeNumber(numbers[word]);
};
const COMPARE = part({
  result: field(1, NUMBER, oneOf({ Equal: 0 })),
  target: field(2, NUMBER, oneOf({ Create: 1, Mod: 2 })),
  key: field(3, BYTES, writeBytes),
  create_revision: field(5, NUMBER, writeNumber),
  mod_revision: field(6, NUMBER, writeNumber),
});
const TRANSACTION = { compare: list(1, COMPARE), success: list(2, OPERATION), failure: list(3, OPERATION) };

const writing = (known) => (message) => {
  start = buffer.length;
  writeFields(message, known);
  return Buffer.from(buffer.subarray(start));
};

const reading = (read) => (bytes) => read(new BufferReader(bytes), bytes.length);

/** By the message's full name. */
exports.READERS = {
  ".etcdserverpb.RangeResponse": reading(rangeResponse),
  ".etcdserverpb.TxnResponse": reading(txnResponse),
  ".etcdserverpb.WatchResponse": reading(watchResponse),
};

/** By the message's full name. */
exports.WRITERS = { ".etcdserverpb.TxnRequest": writing(TRANSACTION) };
