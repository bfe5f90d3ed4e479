import { type KeyRange, RegistryError } from "@fleet/domain/cluster";
import type { IEvent, IWatchResponse } from "etcd3";
import type { WatchBatch, WatchEvent } from "./etcd.ts";
import { watchEventOf } from "./etcd3-translation.ts";

/** What is needed of a gRPC watch stream. */
interface WatchStream {
  on(event: "data", listener: (response: WatchResponse) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  write(request: never): void;
}

/** etcd3's types lack `fragment`: one message too large for gRPC comes in several. */
type WatchResponse = Pick<IWatchResponse, "header" | "watch_id" | "created" | "canceled" | "compact_revision"> & {
  readonly cancel_reason?: string;
  readonly events: readonly IEvent[];
  readonly fragment?: boolean;
};

/** etcd has ended a watch; `reason` is its own word for why, maybe empty. */
export class WatchCanceled extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`etcd has canceled the watch: ${reason}`);
    this.name = "WatchCanceled";
    this.reason = reason;
  }
}

/** A watch of several ranges over a stream of its own. The stream is its user's to cancel. */
export class RangeWatch {
  readonly #ranges: readonly { readonly range: KeyRange; readonly from: number }[];
  readonly #onBatch: (batch: WatchBatch) => void;
  readonly #onOpen: () => void;
  readonly #onHeader: (header: WatchResponse["header"]) => void;
  readonly #ended = Promise.withResolvers<void>();
  /** Events, by range, of messages that are not complete. */
  readonly #partial = new Map<number, readonly WatchEvent[]>();
  #created = 0;
  #isOver = false;

  /** @param onHeader hears of the header of each message */
  constructor(
    stream: WatchStream,
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
    onHeader: (header: WatchResponse["header"]) => void = () => undefined,
  ) {
    this.#ranges = ranges;
    this.#onBatch = onBatch;
    this.#onOpen = onOpen;
    this.#onHeader = onHeader;
    stream.on("error", (error) => this.#break(error));
    stream.on("end", () => this.#break(new RegistryError("unavailable", "etcd closed the watch")));
    stream.on("data", (response) => this.#take(response));
    for (const [index, { range, from }] of ranges.entries()) {
      const request = {
        key: Buffer.from(range.start),
        range_end: Buffer.from(range.end),
        start_revision: String(from),
        progress_notify: true,
        fragment: true,
        watch_id: index + 1,
      };
      stream.write({ create_request: request } as never);
    }
  }

  /**
   * Fulfilled when it was stopped. Rejected where the stream broke, with a WatchCanceled where etcd ended it, and with a
   * RegistryError `compacted` where the revision to watch from is gone.
   */
  get over(): Promise<void> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#isOver = true;
    this.#ended.resolve();
  }

  #break(error: unknown): void {
    this.#isOver = true;
    this.#ended.reject(error);
  }

  #take(response: WatchResponse): void {
    if (this.#isOver) return;
    this.#onHeader(response.header);
    if (this.#isOver) return; // whoever heard of another history has stopped this watch
    if (response.canceled) {
      const isCompacted = Number(response.compact_revision) > 0;
      this.#break(
        isCompacted
          ? new RegistryError("compacted", "etcd has compacted the revision to watch from")
          : new WatchCanceled(response.cancel_reason ?? ""),
      );
    } else if (response.created) {
      if (++this.#created === this.#ranges.length) this.#onOpen();
    } else {
      this.#tell(response);
    }
  }

  #tell(response: WatchResponse): void {
    const range = Number(response.watch_id) - 1;
    const before = this.#partial.get(range);
    const news = response.events.map(watchEventOf);
    const events = before === undefined ? news : [...before, ...news];
    if (response.fragment === true) {
      this.#partial.set(range, events);
      return;
    }
    this.#partial.delete(range);
    // While a watch catches up the header tells of the present, not of what was delivered: only the events do.
    const last = events.at(-1);
    const revision = last === undefined ? Number(response.header.revision) : revisionOf(last);
    this.#onBatch({ range, revision, events });
  }
}

function revisionOf(event: WatchEvent): number {
  return event.kind === "put" ? event.keyValue.modRevision : event.revision;
}
