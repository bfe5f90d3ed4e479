import { describe, expect, it } from "vitest";
import {
  DESTROYED_KEPT_MS,
  decodeVersion,
  encodeVersion,
  findVersion,
  inOrder,
  type KeptVersion,
  outdatedVersions,
  tellVersions,
  type VersionRecord,
} from "./unit-versions.ts";

const AT = "2026-01-01T00:00:00.000Z";
const version = (number: number, changes: Partial<KeptVersion> = {}): KeptVersion => ({
  ...{ kind: "version", number, hash: "h", source: "h", at: AT, by: null, message: null },
  ...{ id: String(number), createRevision: number },
  ...changes,
});
const numbers = (versions: readonly KeptVersion[]) => versions.map(({ number }) => number);

describe("the record of a version", () => {
  it.each<Partial<VersionRecord>>([{}, { source: "s", by: "ops", message: "why" }, { kind: "destroyed" }])(
    "is read as it was written: %o",
    (changes) => {
      const { id: _id, createRevision: _revision, ...record } = version(3, changes);
      expect(decodeVersion(encodeVersion(record))).toEqual(record);
    },
  );
  it.each([
    '{"number":1}',
    "{",
    "[]",
    '{"kind":"paused","number":1,"hash":"h","at":""}',
    '{"number":1,"hash":"../x","at":""}',
  ])("is not read where it is something else: %s", (text) => expect(decodeVersion(text)).toBeNull());
});

describe("the versions of a unit", () => {
  it("are in order of their writing, whatever their clocks said", () => {
    expect(numbers(inOrder([version(2), version(3, { at: "1999-01-01T00:00:00.000Z" }), version(1)]))).toEqual([
      3, 2, 1,
    ]);
  });
  it("have numbers of their own where a unit was destroyed, or an old version of fleet forgot the last one", () => {
    const again = version(1, { createRevision: 9 });
    const end = version(2, { kind: "destroyed", createRevision: 5 });
    expect(numbers(inOrder([version(1), version(2), end, again]))).toEqual([3, 2, 2, 1]);
  });
  it("keep the numbers that they have once the first are gone", () => {
    expect(numbers(inOrder([version(11), version(12)]))).toEqual([12, 11]);
  });
});

describe("what users are told of versions", () => {
  it("is who made them, when and why, and which one the unit has", () => {
    const versions = [version(2, { hash: "new", source: "s", by: "ops", message: "why" }), version(1)];
    expect(tellVersions(versions, { hash: "new", source: "s" })).toEqual([
      { number: 2, kind: "version", hash: "new", time: AT, by: "ops", message: "why", current: true },
      { number: 1, kind: "version", hash: "h", time: AT },
    ]);
    const isCurrent = (of: readonly KeptVersion[], record: { readonly hash: string } | null) =>
      tellVersions(of, record).map(({ current }) => current === true);
    expect(isCurrent(versions, { hash: "new" })).toEqual([false, false]);
    expect(isCurrent(versions, { hash: "h" })).toEqual([false, false]);
    expect(isCurrent([version(1, { kind: "destroyed" })], { hash: "h" })).toEqual([false]);
    expect(isCurrent([version(1)], null)).toEqual([false]);
  });
  it("has a text for each number but that of an end", () => {
    const versions = [version(2, { kind: "destroyed" }), version(2, { source: "s" }), version(1)];
    expect([2, 1, 3].map((number) => findVersion(versions, number)?.source ?? null)).toEqual(["s", "h", null]);
  });
});

describe("versions that are not kept any longer", () => {
  const many = Array.from({ length: 13 }, (_, index) => version(index + 1));
  const now = Date.parse(AT);
  it("are those before the last ten of a unit", () => {
    expect(numbers(outdatedVersions(many, true, now))).toEqual([3, 2, 1]);
    expect(outdatedVersions(many.slice(0, 10), true, now + 10 * DESTROYED_KEPT_MS)).toEqual([]);
  });
  it("are all of a unit that has been gone for a day", () => {
    const ended = [...many.slice(0, 2), version(2, { kind: "destroyed", createRevision: 20 })];
    expect(outdatedVersions(ended, false, now + DESTROYED_KEPT_MS)).toEqual([]);
    expect(outdatedVersions(ended, false, now + DESTROYED_KEPT_MS + 1)).toHaveLength(3);
    expect(outdatedVersions([version(1, { at: "?" })], false, now)).toEqual([]);
  });
});
