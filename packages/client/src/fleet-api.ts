import type { Duplex } from "node:stream";
import { notFleet, refusal } from "./answers.ts";
import type { UnitStatus, UsageSample } from "./description/link-schemas.ts";
import type { Roll, RollOrder, RollRequest } from "./description/roll-schemas.ts";
import type {
  Machine,
  MetadataOperation,
  Move,
  Placement,
  RebalanceRequest,
  Unit,
  UnitChange,
  UnitOption,
  UnitState,
  UnitVersion,
} from "./description/schemas.ts";
import { readEndpoints } from "./endpoint.ts";
import { type EventFilter, readEvents, type StreamItem } from "./event-stream.ts";
import { type JournalItem, type JournalQuery, readJournal } from "./journal/stream.ts";
import { readAgain } from "./streams.ts";
import { type Response, type TlsFiles, Transport } from "./transport.ts";
import { readUsage, type UsageQuery, usagePath } from "./usage-stream.ts";

/** How to reach an API. */
export interface FleetApiOptions {
  /**
   * `unix:///path`, `http://host:port` or `https://host:port`; several of the same cluster's, parted by commas: where one
   * gives no answer the next one is asked.
   */
  readonly endpoint: string;
  /** Milliseconds that one request may take; 3000 by default. */
  readonly timeoutMs?: number;
  readonly tls?: TlsFiles;
  /** A bearer token, where the API requires one. */
  readonly token?: string;
  /** Opens a connection by other means, for example through a tunnel. */
  readonly connect?: () => Duplex;
  /** Called where etcd is away and the API answers a read from its last view of it. Absent: such reads fail. */
  readonly onLastView?: (view: LastView) => void;
}

/** What an API last saw of etcd, which it can't reach. */
export interface LastView {
  /** How old it is, in seconds. */
  readonly ageSeconds: number;
  /** etcd's addresses; empty where the API does not tell them. */
  readonly etcd: readonly string[];
}

/** The answer to a question that agents answer, which may take one that does not answer 10 s to be known as such. */
const AGENTS_MS = 15_000;

/** A client of HTTP API v1, of this fleet's servers and the old one's. Failures are FleetApiErrors. */
export class FleetApi {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #onLastView: ((view: LastView) => void) | null;

  constructor({ endpoint, timeoutMs = 3000, tls, token, connect, onLastView }: FleetApiOptions) {
    const options = { timeoutMs, tls: tls ?? null, token: token ?? null, connect: connect ?? null };
    this.#transport = new Transport(readEndpoints(endpoint), options);
    this.#timeoutMs = timeoutMs;
    this.#onLastView = onLastView ?? null;
  }

  /** The endpoint that is asked now, as users write it. */
  get where(): string {
    return this.#transport.where;
  }

  /** The version of the server, from its last answer; null: there was no answer yet, or the server is not fleet's. */
  get serverVersion(): string | null {
    return /^fleetd\/(\S+)$/.exec(this.#transport.server)?.[1] ?? null;
  }

  /** All units, by name, over all pages. */
  listUnits(): Promise<readonly Unit[]> {
    return this.#list<Unit>("/units", "units");
  }

  /** One unit, with `text` with its file as it was submitted, where the server has that; null where there is no such unit. */
  async getUnit(name: string, { text = false }: { readonly text?: boolean } = {}): Promise<Unit | null> {
    const response = await this.#get(text ? `${unitPath(name)}?text=true` : unitPath(name));
    return response.status === 404 ? null : (this.#expect(response, 200) as unknown as Unit);
  }

  /**
   * Creates a unit, puts a new version of it in, or changes its desired state. A `text` is kept for those who read the unit,
   * `message` for its history.
   */
  async setUnit(
    name: string,
    change: Pick<UnitChange, "options" | "desiredState" | "text">,
    message: string | null = null,
  ): Promise<"created" | "changed"> {
    const response = await this.#transport.send("PUT", unitPath(name) + because(message), { name, ...change });
    if (response.status !== 201 && response.status !== 204) throw refusal(response);
    return response.status === 201 ? "created" : "changed";
  }

  /** Removes a unit; false where there was none. */
  async deleteUnit(name: string, message: string | null = null): Promise<boolean> {
    const response = await this.#transport.send("DELETE", unitPath(name) + because(message));
    // An earlier attempt that got no answer may have removed it.
    if (response.status === 404) return response.isRepeated;
    if (response.status !== 204) throw refusal(response);
    return true;
  }

  /** The versions that a unit has had, the newest first; null: there is no such unit, and was none for a day. */
  async listVersions(name: string): Promise<readonly UnitVersion[] | null> {
    const response = await this.#get(`${unitPath(name)}/versions`);
    return response.status === 404 ? null : listIn<UnitVersion>(this.#expect(response, 200), "versions");
  }

  /** One version of a unit, with its text; null: it is not there, or not kept any more. */
  async getVersion(name: string, number: number): Promise<UnitVersion | null> {
    const response = await this.#get(`${unitPath(name)}/versions/${number}`);
    return response.status === 404 ? null : (this.#expect(response, 200) as unknown as UnitVersion);
  }

  /** States of units as machines report them, by unit and machine, over all pages. */
  listStates(filter: { readonly unitName?: string; readonly machineID?: string } = {}): Promise<readonly UnitState[]> {
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined));
    return this.#list<UnitState>(query.size === 0 ? "/state" : `/state?${query}`, "states");
  }

  /** All machines, by ID, over all pages; with `lost` those too that were here and are not forgotten. */
  listMachines({ lost = false }: { readonly lost?: boolean } = {}): Promise<readonly Machine[]> {
    return this.#list<Machine>(lost ? "/machines?lost=true" : "/machines", "machines");
  }

  /** Forgets a lost machine, with its cordon; false where it is not known. One that is here is refused. */
  async forgetMachine(machineID: string): Promise<boolean> {
    const response = await this.#transport.send("DELETE", machinePath(machineID));
    if (response.status === 404) return response.isRepeated;
    if (response.status !== 204) throw refusal(response);
    return true;
  }

  /** Changes dynamic metadata. */
  async patchMachines(operations: readonly MetadataOperation[]): Promise<void> {
    const response = await this.#transport.send("PATCH", "/machines", operations);
    if (response.status !== 204) throw refusal(response);
  }

  /** Cordons a machine: it gets no new units. With `drain` the engine moves its units away too. */
  async cordonMachine(machineID: string, drain: boolean): Promise<void> {
    const response = await this.#transport.send("PUT", `${machinePath(machineID)}/cordon`, { drain });
    if (response.status !== 204) throw refusal(response);
  }

  /** Takes a cordon away: the machine gets units again. */
  async uncordonMachine(machineID: string): Promise<void> {
    const response = await this.#transport.send("DELETE", `${machinePath(machineID)}/cordon`);
    if (response.status !== 204) throw refusal(response);
  }

  /** Has the engine move units until the cluster is more even. With `dryRun` it only returns the moves. */
  async rebalance(request: RebalanceRequest): Promise<readonly Move[]> {
    return this.#expect(await this.#transport.send("POST", "/rebalance", request), 200).moves as readonly Move[];
  }

  /** Moves that were requested and are not done. */
  async listMoves(): Promise<readonly Move[]> {
    return this.#expect(await this.#get("/moves"), 200).moves as readonly Move[];
  }

  /** Rolls that are under way, and the last that are over, the oldest first. */
  async listRolls(): Promise<readonly Roll[]> {
    return listIn<Roll>(this.#expect(await this.#get("/rolls"), 200), "rolls");
  }

  /** How far a roll is; null: there is no such roll, or it is not kept any more. */
  async getRoll(id: string): Promise<Roll | null> {
    const response = await this.#get(rollPath(id));
    return response.status === 404 ? null : (this.#expect(response, 200) as unknown as Roll);
  }

  /** Has the engine give units new versions, or restart them, a few at a time. */
  async createRoll(request: RollRequest): Promise<Roll> {
    return this.#expect(await this.#transport.send("POST", "/rolls", request), 201) as unknown as Roll;
  }

  /** Tells a roll something; one that can't do so, or is unknown, is an error. */
  async orderRoll(id: string, order: RollOrder): Promise<void> {
    const response = await this.#transport.send("POST", rollPath(id), { order });
    if (response.status !== 204) throw refusal(response);
  }

  /** Why a unit is where it is; null where there is no such unit. An old server refuses with status 404 too. */
  async getPlacement(name: string): Promise<Placement | null> {
    const response = await this.#get(`${unitPath(name)}/placement`);
    return response.status === 404 ? null : (this.#expect(response, 200) as unknown as Placement);
  }

  /**
   * Where a version of a unit could be if it was put in and launched now; of a name that is not there, too. Null: the
   * server is too old to say.
   */
  async explainVersion(name: string, options: readonly UnitOption[]): Promise<Placement | null> {
    const response = await this.#transport.send("POST", `${unitPath(name)}/placement`, { options });
    const isTooOld = response.status === 404 || response.status === 405;
    return isTooOld ? null : (this.#expect(response, 200) as unknown as Placement);
  }

  /**
   * Follows events until the signal aborts. A stream that breaks is resumed where it was; after eight failures in a row
   * the last one is thrown. A server that has no events refuses with status 404.
   *
   * @param after the etcd revision after which to begin; absent: now
   */
  async *events(filter: EventFilter, signal: AbortSignal, after?: number): AsyncGenerator<StreamItem> {
    let last = after === undefined ? null : String(after);
    const read = () => readEvents(this.#transport, filter, signal, last, true);
    for await (const { item, id } of readAgain(read, signal)) {
      last = id ?? last;
      if (item !== null) yield item;
    }
  }

  /** The events that the server still keeps, oldest first. */
  async *pastEvents(filter: EventFilter, signal: AbortSignal, after?: number): AsyncGenerator<StreamItem> {
    const last = after === undefined ? null : String(after);
    for await (const { item } of readEvents(this.#transport, filter, signal, last, false))
      if (item !== null) yield item;
  }

  /**
   * Reads the journals of units on all machines, merged by time. A stream that breaks is taken up again where it was.
   * A server without the link refuses with status 501, an old one with 404.
   *
   * @returns what has come together, together
   */
  journal(query: JournalQuery, signal: AbortSignal): AsyncGenerator<readonly JournalItem[]> {
    return readJournal(this.#transport, query, signal);
  }

  /**
   * What systemd says of a unit, on each machine that has it or had it last. A server without the link refuses with
   * status 501, an old one, and one without such a unit, with 404.
   *
   * @param lines how many journal entries with each
   */
  async unitStatus(name: string, lines: number): Promise<readonly UnitStatus[]> {
    const response = await this.#transport.send("GET", `${unitPath(name)}/status?lines=${lines}`, undefined, {
      timeoutMs: Math.max(this.#timeoutMs, AGENTS_MS),
    });
    return listIn<UnitStatus>(this.#expect(response, 200), "units");
  }

  /** What machines and fleet's units on them use now; of all machines where none is named. */
  async usage({ machines = [] }: Pick<UsageQuery, "machines"> = {}): Promise<readonly UsageSample[]> {
    const response = await this.#transport.send("GET", usagePath(machines), undefined, {
      timeoutMs: Math.max(this.#timeoutMs, AGENTS_MS),
    });
    return listIn<UsageSample>(this.#expect(response, 200), "machines");
  }

  /** The same again and again: samples as they come. */
  watchUsage(query: UsageQuery, signal: AbortSignal): AsyncGenerator<UsageSample> {
    return readUsage(this.#transport, query, signal);
  }

  close(): void {
    this.#transport.close();
  }

  async #list<T>(path: string, member: string): Promise<readonly T[]> {
    const items: T[] = [];
    let token = "";
    do {
      const query = token === "" ? "" : `${path.includes("?") ? "&" : "?"}nextPageToken=${encodeURIComponent(token)}`;
      const page = this.#expect(await this.#get(path + query), 200);
      items.push(...listIn<T>(page, member));
      token = typeof page.nextPageToken === "string" ? page.nextPageToken : "";
    } while (token !== "");
    return items;
  }

  /** Reads; where etcd is away and that will do, from the API's last view of it. */
  async #get(path: string): Promise<Response> {
    const response = await this.#transport.send("GET", path);
    if (response.status !== 503 || this.#onLastView === null) return response;
    const last = await this.#transport.send("GET", `${path}${path.includes("?") ? "&" : "?"}view=last`);
    const age = last.headers["fleet-view-age"];
    // A server that has no last view refuses again, or etcd is back.
    if (last.status >= 500) return response;
    const etcd = String(last.headers["fleet-etcd"] ?? "");
    if (typeof age === "string")
      this.#onLastView({ ageSeconds: Number(age), etcd: etcd === "" ? [] : etcd.split(",") });
    return last;
  }

  #expect(response: Response, wanted: number): Readonly<Record<string, unknown>> {
    if (response.status !== wanted) throw refusal(response);
    if (typeof response.body === "object" && response.body !== null) return response.body as Record<string, unknown>;
    throw notFleet(this.where);
  }
}

/** The reason of a change, for the unit's history. */
function because(message: string | null): string {
  return message === null ? "" : `?${new URLSearchParams({ message })}`;
}

function unitPath(name: string): string {
  return `/units/${encodeURIComponent(name)}`;
}

function rollPath(id: string): string {
  return `/rolls/${encodeURIComponent(id)}`;
}

function machinePath(machineID: string): string {
  return `/machines/${encodeURIComponent(machineID)}`;
}

function listIn<T>(body: Readonly<Record<string, unknown>>, member: string): readonly T[] {
  return Array.isArray(body[member]) ? (body[member] as T[]) : [];
}
