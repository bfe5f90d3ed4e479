import { Agent, request } from "node:http";

/** A bare HTTP client with kept connections: the least that a benchmark can load the machine with. */
export class ApiClient {
  readonly #base: URL;
  readonly #agent: Agent;

  constructor(endpoint: string, connections = 64) {
    this.#base = new URL(endpoint);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  send(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: this.#base.hostname,
          port: this.#base.port,
          agent: this.#agent,
          method,
          path: `/fleet/v1${path}`,
          headers:
            payload === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) },
        },
        (response) => {
          response.setEncoding("utf8");
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      sent.on("error", reject);
      sent.end(payload);
    });
  }

  async put(name: string, desiredState: string, exec?: string): Promise<void> {
    const options = exec === undefined ? undefined : [{ section: "Service", name: "ExecStart", value: exec }];
    const { status, text } = await this.send("PUT", `/units/${encodeURIComponent(name)}`, {
      name,
      desiredState,
      options,
    });
    if (status !== 201 && status !== 204) throw new Error(`PUT ${name}: ${status} ${text}`);
  }

  async states(): Promise<{ name: string; systemdActiveState: string }[]> {
    const states: { name: string; systemdActiveState: string }[] = [];
    let token = "";
    do {
      const query = token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`;
      const page = JSON.parse((await this.send("GET", `/state${query}`)).text) as {
        states: typeof states;
        nextPageToken?: string;
      };
      states.push(...page.states);
      token = page.nextPageToken ?? "";
    } while (token !== "");
    return states;
  }

  async metrics(): Promise<string> {
    return (await fetch(new URL("/metrics", this.#base))).text();
  }

  close(): void {
    this.#agent.destroy();
  }
}
