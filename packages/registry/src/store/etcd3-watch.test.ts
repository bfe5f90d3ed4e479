import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { WatchBatch } from "./etcd.ts";
import { RangeWatch } from "./etcd3-watch.ts";

/** A stream that says what a test has it say. */
class FakeStream extends EventEmitter {
  readonly requests: { readonly create_request: Readonly<Record<string, unknown>> }[] = [];

  write(request: never): void {
    this.requests.push(request);
  }
}

const RANGES = [
  { range: { start: "a", end: "b" }, from: 5 },
  { range: { start: "x", end: "y" }, from: 7 },
];
const put = (key: string, revision: number) => ({
  type: "Put",
  kv: { key: Buffer.from(key), value: Buffer.from("v"), create_revision: "1", mod_revision: String(revision) },
});
const watching = () => {
  const stream = new FakeStream();
  const batches: WatchBatch[] = [];
  let opened = 0;
  const watch = new RangeWatch(
    stream,
    RANGES,
    (batch) => batches.push(batch),
    () => opened++,
  );
  const says = (response: object): void => {
    stream.emit("data", { header: { revision: "90" }, watch_id: "1", events: [], ...response });
  };
  const told = (): readonly unknown[] =>
    batches.map(({ range, revision, events }) => [
      range,
      revision,
      events.map((event) => (event.kind === "put" ? event.keyValue.key : event.key)),
    ]);
  return { stream, watch, says, told, opened: () => opened };
};

describe("a watch's stream", () => {
  it("is asked for each range, to be told of progress, in messages that may be cut", () => {
    const { stream } = watching();
    expect(stream.requests.map(({ create_request: request }) => request)).toMatchObject([
      { key: Buffer.from("a"), range_end: Buffer.from("b"), start_revision: "5", watch_id: 1, fragment: true },
      { key: Buffer.from("x"), range_end: Buffer.from("y"), start_revision: "7", watch_id: 2, progress_notify: true },
    ]);
  });
  it("is open once etcd has taken on all of them", () => {
    const { says, opened, told } = watching();
    says({ created: true });
    expect(opened()).toBe(0);
    says({ created: true, watch_id: "2" });
    expect([opened(), told()]).toEqual([1, []]);
  });
  it("that catches up has come as far as its events, whatever the header says of the present", () => {
    const { says, told } = watching();
    says({ events: [put("a1", 5), put("a2", 6)] });
    says({ events: [{ ...put("a1", 8), type: "Delete" }] });
    says({ header: { revision: "91" } });
    expect(told()).toEqual([
      [0, 6, ["a1", "a2"]],
      [0, 8, ["a1"]],
      [0, 91, []],
    ]);
  });
  it("joins what comes in several messages, for each range by itself", () => {
    const { says, told } = watching();
    says({ fragment: true, events: [put("a1", 8)] });
    says({ fragment: true, watch_id: "2", events: [put("x1", 8)] });
    says({ fragment: true, events: [put("a2", 8)] });
    expect(told()).toEqual([]);
    says({ events: [put("a3", 8)] });
    says({ watch_id: "2", events: [put("x2", 8)] });
    says({ events: [put("a4", 9)] });
    expect(told()).toEqual([
      [0, 8, ["a1", "a2", "a3"]],
      [1, 8, ["x1", "x2"]],
      [0, 9, ["a4"]],
    ]);
  });
});

describe("the end of a watch", () => {
  const after = (event: (test: ReturnType<typeof watching>) => void): Promise<unknown> => {
    const test = watching();
    event(test);
    test.says({ events: [put("late", 9)] });
    expect(test.told()).toEqual([]);
    return test.watch.over.then(
      () => null,
      (error: unknown) => error,
    );
  };
  it("is no error where it was stopped, and nothing is told any more", async () => {
    expect(await after(({ watch }) => watch.stop())).toBeNull();
  });
  it("says that the revision is compacted away", async () => {
    expect(await after(({ says }) => says({ canceled: true, compact_revision: "6" }))).toMatchObject({
      code: "compacted",
    });
  });
  it("has etcd's own word for it where there is one", async () => {
    const reason = "etcdserver: permission denied";
    const canceled = { canceled: true, created: true, compact_revision: "0" };
    expect(await after(({ says }) => says({ ...canceled, cancel_reason: reason }))).toMatchObject({ reason });
    expect(await after(({ says }) => says(canceled))).toMatchObject({ name: "WatchCanceled", reason: "" });
  });
  it("is that of its stream: the first of what that says", async () => {
    const broken = new Error("14 UNAVAILABLE");
    expect(await after(({ stream }) => stream.emit("end"))).toMatchObject({ code: "unavailable" });
    expect(
      await after(({ stream }) => {
        stream.emit("error", broken);
        stream.emit("end");
      }),
    ).toBe(broken);
  });
});
