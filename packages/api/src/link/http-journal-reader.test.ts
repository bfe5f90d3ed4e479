import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { HttpJournalReader } from "./http-journal-reader.ts";

afterEach(() => void vi.useRealTimers());

/** An answer whose connection takes nothing until it is read. */
class Answer extends Writable {
  text = "";
  #taken: (() => void) | null = null;
  #isRead = false;

  constructor() {
    super({ highWaterMark: 100 });
  }
  writeHead(): this {
    return this;
  }
  flushHeaders(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    if (this.#isRead) done();
    else this.#taken = done;
  }
  read(): void {
    this.#isRead = true;
    this.#taken?.();
  }
}

const note = (text: string) => [{ note: { kind: "moved", text } }] as const;

function readerOf(answer: Answer, mayRead: () => boolean = () => true): HttpJournalReader {
  return new HttpJournalReader(answer as unknown as ServerResponse, "application/x-ndjson", {}, mayRead, 30_000);
}

describe("a client that reads a stream", () => {
  it("is waited for where its connection takes no more, and written to again when it does", async () => {
    const answer = new Answer();
    const reader = readerOf(answer);
    let isOver = false;
    const written = reader.write(note("x".repeat(200))).then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect(isOver).toBe(false);
    answer.read();
    await written;
    await reader.write(note("y"));
    expect(answer.text.split("\n").map((line) => line.length > 0)).toEqual([true, true, false]);
    reader.end();
    expect(reader.gone.aborted).toBe(true);
  });

  it("that reads nothing for half a minute is cut off with a clear word, and holds nobody up", async () => {
    vi.useFakeTimers();
    const answer = new Answer();
    const reader = readerOf(answer);
    const written = reader.write(note("x".repeat(200)));
    vi.advanceTimersByTime(29_999);
    expect(reader.gone.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    await written;
    expect(reader.gone.aborted).toBe(true);
    await reader.write(note("later"));
    answer.read();
    const last = JSON.parse(answer.text.trim().split("\n").at(-1) ?? "");
    expect(last).toEqual({ note: { kind: "cut-off", text: "nothing was read for 30 s: go on after the last entry" } });
  });

  it("gets a sign of life in a quiet stream, and is cut where it may not read any more", () => {
    vi.useFakeTimers();
    let isAllowed = true;
    const answer = new Answer();
    const reader = readerOf(answer, () => isAllowed);
    answer.read();
    vi.advanceTimersByTime(30_000);
    expect(answer.text).toBe("\n\n");
    isAllowed = false;
    vi.advanceTimersByTime(15_000);
    expect([answer.text, answer.destroyed, reader.gone.aborted]).toEqual(["\n\n", true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is behind gets no sign of life on top", () => {
    vi.useFakeTimers();
    const answer = new Answer();
    void readerOf(answer).write(note("x".repeat(200)));
    vi.advanceTimersByTime(15_000);
    expect(answer.writableLength).toBe(answer.text.length);
    answer.destroy();
  });

  it("that goes away leaves no timer, and what is written to it is dropped", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
    const answer = new Answer();
    const reader = readerOf(answer);
    const written = reader.write(note("x".repeat(200)));
    answer.destroy();
    await written;
    expect(reader.gone.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
