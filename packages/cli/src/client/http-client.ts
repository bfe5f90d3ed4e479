import { Agent, type IncomingMessage, request } from "node:http";
import { isDesiredState, type UnitOption } from "@fleet/registry/model";
import { CommandError } from "../errors.ts";
import type { FleetClient, MachineInfo, StateInfo, UnitInfo } from "./fleet-client.ts";

/** Where the API is. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const MOST_SOCKETS = 64;
const BASE = "/fleet/v1";

type Json = Readonly<Record<string, unknown>>;

/** The cluster over HTTP API v1, as any server since the old fleet's serves it. */
export class HttpClient implements FleetClient {
  readonly #endpoint: Endpoint;
  readonly #timeoutMs: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MOST_SOCKETS });

  constructor(endpoint: Endpoint, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
  }

  async units(): Promise<readonly UnitInfo[]> {
    return (await this.#list("/units", "units")).map(unitInfo);
  }

  async unit(name: string): Promise<UnitInfo | null> {
    const { status, body } = await this.#send("GET", `/units/${encodeURIComponent(name)}`);
    if (status === 404) return null;
    return unitInfo(this.#expect(200, status, body));
  }

  async setUnit(name: string, change: { options?: readonly UnitOption[]; desiredState?: string }): Promise<void> {
    const { status, body } = await this.#send("PUT", `/units/${encodeURIComponent(name)}`, { name, ...change });
    if (status !== 201 && status !== 204) throw refusal(status, body);
  }

  async destroyUnit(name: string): Promise<boolean> {
    const { status, body } = await this.#send("DELETE", `/units/${encodeURIComponent(name)}`);
    if (status === 404) return false;
    if (status !== 204) throw refusal(status, body);
    return true;
  }

  async states(name?: string): Promise<readonly StateInfo[]> {
    const query = name === undefined ? "" : `?unitName=${encodeURIComponent(name)}`;
    return (await this.#list(`/state${query}`, "states")).map(stateInfo);
  }

  async machines(): Promise<readonly MachineInfo[]> {
    return (await this.#list("/machines", "machines")).map(machineInfo);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #list(path: string, member: string): Promise<Json[]> {
    const items: Json[] = [];
    let token = "";
    do {
      const query = token === "" ? "" : `${path.includes("?") ? "&" : "?"}nextPageToken=${encodeURIComponent(token)}`;
      const { status, body } = await this.#send("GET", path + query);
      const page = this.#expect(200, status, body);
      if (Array.isArray(page[member])) items.push(...(page[member] as Json[]));
      token = text(page.nextPageToken);
    } while (token !== "");
    return items;
  }

  #expect(wanted: number, status: number, body: unknown): Json {
    if (status !== wanted) throw refusal(status, body);
    if (typeof body === "object" && body !== null) return body as Json;
    throw new CommandError(`the server at ${this.#where()} did not answer with JSON: is it fleet's API?`);
  }

  #send(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const where =
      this.#endpoint.kind === "unix"
        ? { socketPath: this.#endpoint.path, headers: { host: "fleet" } }
        : { host: this.#endpoint.host, port: this.#endpoint.port, headers: {} };
    return new Promise((resolve, reject) => {
      const fail = (reason: string, cause?: unknown): void =>
        reject(new CommandError(`fleet's API at ${this.#where()} ${reason}`, { cause }));
      const headers =
        payload === undefined
          ? where.headers
          : { ...where.headers, "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
      const sent = request({ ...where, agent: this.#agent, method, path: BASE + path, headers }, (response) => {
        readBody(response).then(
          (answer) => {
            clearTimeout(timer);
            resolve({ status: response.statusCode ?? 0, body: parse(answer) });
          },
          (error: unknown) => fail("broke off its answer", error),
        );
      });
      const timer = setTimeout(() => {
        fail(`did not answer within ${this.#timeoutMs / 1000} s (--request-timeout)`);
        sent.destroy();
      }, this.#timeoutMs);
      sent.on("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        fail(`can't be reached: ${whyUnreachable(error)}`, error);
      });
      sent.end(payload);
    });
  }

  #where(): string {
    return this.#endpoint.kind === "unix"
      ? `unix://${this.#endpoint.path}`
      : `http://${this.#endpoint.host}:${this.#endpoint.port}`;
  }
}

function whyUnreachable({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
      return "there is no such socket. Is fleetd running here? Otherwise name a server with --endpoint";
    case "ECONNREFUSED":
      return "nobody listens there. Is fleetd running? Otherwise name a server with --endpoint";
    case "EACCES":
      return "this user may not open the socket; the group of the socket may";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is not known";
    default:
      return message;
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let body = "";
  for await (const chunk of response) body += chunk;
  return body;
}

function parse(body: string): unknown {
  if (body === "") return null;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function refusal(status: number, body: unknown): CommandError {
  const { error } = (typeof body === "object" && body !== null ? body : {}) as { error?: { message?: unknown } };
  const message = typeof error?.message === "string" ? error.message : `the server answered with status ${status}`;
  return new CommandError(message);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function unitInfo(unit: Json): UnitInfo {
  const options = Array.isArray(unit.options) ? (unit.options as Json[]) : [];
  return {
    name: text(unit.name),
    options: options.map((option) => ({
      section: text(option.section),
      name: text(option.name),
      value: text(option.value),
    })),
    desiredState: isDesiredState(unit.desiredState) ? unit.desiredState : "inactive",
    currentState: isDesiredState(unit.currentState) ? unit.currentState : null,
    machineID: text(unit.machineID) || null,
  };
}

function stateInfo(state: Json): StateInfo {
  return {
    name: text(state.name),
    hash: text(state.hash),
    machineID: text(state.machineID),
    load: text(state.systemdLoadState),
    active: text(state.systemdActiveState),
    sub: text(state.systemdSubState),
    error: text(state.error) || null,
  };
}

function machineInfo(machine: Json): MachineInfo {
  const metadata = (machine.metadata ?? {}) as Record<string, string>;
  return { id: text(machine.id), primaryIP: text(machine.primaryIP), metadata };
}
