/** A connection that says nothing for so long while streams run is asked whether it is there; then as long again. */
export const KEEPALIVE = { "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 10_000 } as const;

/** Most bytes of one message. A status with long command lines is the largest. */
export const MOST_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Bytes of a chunk of a journal: gRPC may hold sixteen of them for a reader that has stopped reading. */
export const CHUNK_BYTES = 32 * 1024;
