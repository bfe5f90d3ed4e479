import type { JournalItem, JournalNoteKind } from "@fleet/client";
import { describe, expect, it } from "vitest";
import { Prefixes } from "./prefixes.ts";
import { JournalPrinter, type PrinterOptions } from "./printer.ts";

const plain: PrinterOptions = { format: "cat", prefixes: null, hasColors: false, isTerminal: false, isFollowed: true };
const entry = (message: string, unit = "a.service"): JournalItem => ({
  kind: "entry",
  entry: { unit, machineID: "m1", cursor: message, timestamp: "2026-01-01T00:00:00.000000Z", message },
});
const note = (kind: JournalNoteKind, machineID = "m1"): JournalItem => ({
  kind: "note",
  note: { kind, machineID, text: kind },
});
const end: JournalItem = { kind: "end", end: { units: [{ unit: "a.service", how: "has ended" }] } };

describe("a stream of the journal", () => {
  it("is printed in its order, what happened beside it in lines of their own", () => {
    const printer = new JournalPrinter(plain);
    const resumed: JournalItem = { kind: "resumed", where: "http://b:1" };
    expect(printer.take([entry("one"), entry("two"), note("moved"), entry("three"), resumed, end])).toEqual([
      { text: "one\ntwo\n" },
      { note: "-- moved --" },
      { text: "three\n" },
      { note: "-- the connection broke; it goes on at http://b:1 --" },
      { note: "-- a.service has ended --" },
    ]);
    expect(printer.entries).toBe(3);
  });
  it("says how each unit ended, once", () => {
    const said: JournalItem = { kind: "note", note: { kind: "ended", unit: "a.service", text: "a.service has ended" } };
    expect(new JournalPrinter(plain).take([said, end])).toEqual([{ note: "-- a.service has ended --" }]);
  });
  it("says nothing of how units ended where it only shows the past", () => {
    expect(new JournalPrinter({ ...plain, isFollowed: false }).take([end])).toEqual([]);
  });
  it("begins each line with its unit where that is wanted", () => {
    const printer = new JournalPrinter({ ...plain, prefixes: new Prefixes([], new Set(), false) });
    expect(printer.take([entry("one\ntwo")])).toEqual([{ text: "a.service | one\na.service | two\n" }]);
  });
  it("keeps a program's own bytes for a pipe, and harms no terminal", () => {
    expect(new JournalPrinter(plain).take([entry("\x1b[2Ja")])).toEqual([{ text: "\x1b[2Ja\n" }]);
    expect(new JournalPrinter({ ...plain, isTerminal: true }).take([entry("\x1b[2Ja")])).toEqual([
      { text: "\\x1b[2Ja\n" },
    ]);
  });
  it("is whole once each machine that was away is back", () => {
    const printer = new JournalPrinter(plain);
    const wholes = [
      note("machine-away"),
      note("machine-away", "m2"),
      note("machine-back"),
      note("machine-back", "m2"),
    ].map((item) => {
      printer.take([item]);
      return printer.isWhole;
    });
    expect(wholes).toEqual([false, false, false, true]);
    printer.take([note("machine-error")]);
    expect(printer.isWhole).toBe(false);
    const cut = new JournalPrinter(plain);
    cut.take([note("left-out"), note("clock-off")]);
    expect(cut.isWhole).toBe(false);
  });
});
