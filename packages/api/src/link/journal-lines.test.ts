import { expect, it } from "vitest";
import { JournalLines } from "./journal-lines.ts";

const MIB = 1024 * 1024;

it("lines are put together of chunks that end anywhere, also within a character", () => {
  const bytes = Buffer.from("one\ntwö\n\nthree\n");
  for (let size = 1; size <= bytes.length; size++) {
    const lines = new JournalLines();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...lines.take(bytes.subarray(at, at + size)));
    expect(found).toEqual(["one", "twö", "three"]);
  }
});

it("a line that is not whole yet is kept for the next chunk", () => {
  const lines = new JournalLines();
  expect(lines.take(Buffer.from("o"))).toEqual([]);
  expect(lines.take(Buffer.from("ne"))).toEqual([]);
  expect(lines.take(Buffer.from("\n"))).toEqual(["one"]);
});

it("a line of more than 1 MiB is left out and counted, and the next one is whole", () => {
  const lines = new JournalLines();
  const found: string[] = [];
  for (let sent = 0; sent <= 2 * MIB; sent += 32_768) found.push(...lines.take(Buffer.alloc(32_768, "x")));
  found.push(...lines.take(Buffer.from("end\nnext\n")));
  expect([found, lines.leftOut]).toEqual([["next"], 1]);
  expect(lines.take(Buffer.from(`${"x".repeat(MIB)}\n`)).map(({ length }) => length)).toEqual([MIB]);
});
