/** Most bytes of one message. A status with long command lines is the largest. */
const MOST_MESSAGE_BYTES = 4 * 1024 * 1024;

/** What both ends tell grpc-js. */
export const CHANNEL_OPTIONS = {
  // A connection that says nothing for so long while streams run is asked whether it is there; then as long again.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": MOST_MESSAGE_BYTES,
  "grpc.max_send_message_length": MOST_MESSAGE_BYTES,
  // Its books on each connection and call, which nobody reads.
  "grpc.enable_channelz": 0,
} as const;

/** Bytes of a chunk of a journal: gRPC may hold sixteen of them for a reader that has stopped reading. */
export const CHUNK_BYTES = 32 * 1024;
