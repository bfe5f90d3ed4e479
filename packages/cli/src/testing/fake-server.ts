import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { runFleetctl, type World } from "../program.ts";

/** What the fake server says to a request. */
export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the answer over, as for a stream. */
  readonly stream?: (response: ServerResponse) => void;
}

/** How fleetctl is run in a test. */
export interface RunOptions extends Partial<Omit<World, "env" | "write" | "writeError" | "readFile">> {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
}

let count = 0;

/**
 * An HTTP server that says what a test wants, where the test is about words and not about a cluster; and fleetctl, run
 * against it in this process. By default it is one of before there were events, with nothing in it.
 */
export function fakeServer() {
  const socket = join(tmpdir(), `fleetctl-test-${process.pid}-${count++}.sock`);
  let server: Server;
  let requests: string[] = [];
  let answer: (method: string, path: string, body: string) => Answer;
  const empty = (_method: string, path: string): Answer => {
    if (path.startsWith("/events")) return { status: 404 };
    const member = path.startsWith("/units") ? "units" : path.startsWith("/state") ? "states" : "machines";
    return { body: { [member]: [] } };
  };
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        const path = (request.url ?? "").replace("/fleet/v1", "");
        requests.push(`${request.method} ${path} ${body}`.trim());
        const said = answer(request.method ?? "", path, body);
        if (said.stream !== undefined) return said.stream(response);
        response
          .writeHead(said.status ?? 200, { "content-type": "application/json", ...said.headers })
          .end(said.body === undefined ? "" : JSON.stringify(said.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    requests = [];
    answer = empty;
  });
  const run = async (args: readonly string[], options: RunOptions = {}) => {
    let stdout = "";
    let stderr = "";
    const { env, files, ...world } = options;
    const code = await runFleetctl(args, {
      env: { FLEETCTL_ENDPOINT: `unix://${socket}`, ...env },
      write: (text) => {
        stdout += typeof text === "string" ? text : Buffer.from(text).toString("latin1");
      },
      drained: async () => undefined,
      async *lines() {},
      writeError: (text) => {
        stderr += text;
      },
      isWatched: false,
      isTyped: false,
      terminal: null,
      openScreen: null,
      signal: new AbortController().signal,
      localMachineID: null,
      run: async () => 0,
      output: async () => null,
      readFile: (path) => (files?.[path] === undefined ? null : Buffer.from(files[path])),
      ...world,
    });
    return { code, stdout, stderr };
  };
  return {
    socket,
    run,
    requests: (): readonly string[] => requests,
    answerWith: (next: typeof answer): void => {
      answer = (method, path, body) =>
        path.startsWith("/events") ? fallback(next, method, path, body) : next(method, path, body);
    },
    answerAll: (next: typeof answer): void => {
      answer = next;
    },
  };
  function fallback(next: typeof answer, method: string, path: string, body: string): Answer {
    const said = next(method, path, body);
    return said.stream === undefined ? { status: 404 } : said;
  }
}
