import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { EVENT_KINDS } from "@fleet/client/description";
import type { Change } from "@fleet/domain/cluster";
import { expect, it } from "vitest";
import { EventFilter } from "../model/event-filter.ts";
import { EventLog } from "../model/event-log.ts";
import { EventReaders } from "./event-readers.ts";

/** An answer whose connection takes everything at once. */
class Answer extends Writable {
  text = "";
  writeHead(): this {
    return this;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}

/** A filter that takes a millisecond of work for each event. */
class SlowFilter extends EventFilter {
  override passes(event: Parameters<EventFilter["passes"]>[0]): boolean {
    for (const until = performance.now() + 1; performance.now() < until; );
    return super.passes(event);
  }
}

const submitted = (index: number): Change =>
  ({
    kind: "unit",
    name: `u${index}.service`,
    revision: 2 + index,
    before: null,
    after: {
      hash: "h",
      desiredState: "inactive",
      isGlobal: false,
      whereabouts: { kind: "nowhere", last: null, wish: null },
    },
  }) as unknown as Change;

it("readers with slow filters are served in slices of time, and all of them are in the end", async () => {
  const log = new EventLog();
  log.start({ since: 1, revision: 1, entries: [] });
  const readers = new EventReaders(log);
  const answers = Array.from({ length: 10 }, () => new Answer());
  for (const answer of answers)
    readers.add(answer as unknown as ServerResponse, {}, new SlowFilter([], [], []), null, true);
  await turn();
  const changes = Array.from({ length: 40 }, (_, index) => submitted(index));
  log.append({ changes, revision: 41, time: new Date() });
  const last = (): number => answers.filter(({ text }) => text.includes("u39.service")).length;
  readers.wake();
  await turn();
  // All at once would take 400 ms.
  expect(last()).toBeLessThan(answers.length);
  await expect.poll(last).toBe(answers.length);
  for (const { text } of answers) expect(text.match(/data: \{"kind"/g)).toHaveLength(40);
  readers.close();
});

it("names and globs are told apart in a filter, and match alike", () => {
  const kinds = Object.keys(EVENT_KINDS) as (keyof typeof EVENT_KINDS)[];
  const passes = (units: readonly string[], unit: string | undefined): boolean =>
    new EventFilter(units, [], kinds).passes({
      kind: "active",
      cause: "",
      revision: 1,
      time: "",
      ...(unit === undefined ? {} : { unit }),
    });
  expect(passes(["a.service", "b*"], "a.service")).toBe(true);
  expect(passes(["a.service", "b*"], "bb")).toBe(true);
  expect(passes(["a.service"], "b.service")).toBe(false);
  expect(passes(["a.service"], undefined)).toBe(false);
  expect(passes(["a\\x2db.service"], "a\\x2db.service")).toBe(true);
  expect(passes([], "b.service")).toBe(true);
  expect(passes([], undefined)).toBe(true);
});
