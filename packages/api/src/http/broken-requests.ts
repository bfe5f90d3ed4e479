import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorJson } from "./errors.ts";
import { JSON_TYPE } from "./media-type.ts";

/** The answers to errors of the HTTP parser, by its code. */
const ANSWERS: Readonly<Record<string, readonly [status: number, phrase: string, message: string]>> = {
  HPE_INVALID_METHOD: [405, "Method Not Allowed", "this method is not supported"],
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "the request's headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "the request did not come whole in time"],
};
const BROKEN = [400, "Bad Request", "the request is not valid HTTP"] as const;

/** Has input that is not a valid request answered as every other error is. */
export function answerBroken(server: Server, version: string): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    const [status, phrase, message] = ANSWERS[error.code ?? ""] ?? BROKEN;
    const body = errorJson(status, message);
    const lines = [
      `HTTP/1.1 ${status} ${phrase}`,
      `Server: fleetd/${version}`,
      `Content-Type: ${JSON_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
    ];
    // A peer that never closes its side must not keep the connection, and its place among those that are allowed.
    socket.once("finish", () => socket.destroy());
    socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
  });
  server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(417, { server: `fleetd/${version}`, "content-type": JSON_TYPE, connection: "close" });
    response.end(errorJson(417, "this expectation can't be met: only 100-continue is known"));
  });
}
