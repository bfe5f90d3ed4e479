import { describe, expect, it } from "vitest";
import {
  decodeCordon,
  decodeEnded,
  decodeKnownMachine,
  decodeLeader,
  decodeMachine,
  decodeMove,
  decodeSchedule,
  decodeState,
  decodeUnit,
  encodeCordon,
  encodeEnded,
  encodeKnownMachine,
  encodeLeader,
  encodeMachine,
  encodeMove,
  encodeSchedule,
  encodeState,
  encodeUnit,
} from "./records.ts";

const STATE = { hash: "h", current: "loaded", load: "loaded", active: "active", sub: "running" };
const UNIT = { hash: "h", desiredState: "launched" };
const LEADER = { machineID: "m1", version: 2, startedAt: "2026" };

type Decode = (text: string) => unknown;
const without = (value: Readonly<Record<string, unknown>>, name: string): object =>
  Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));

describe("values that nobody can read are null", () => {
  const all: readonly (readonly [string, Decode, Readonly<Record<string, unknown>>])[] = [
    ["a unit", decodeUnit, UNIT],
    ["a schedule entry", decodeSchedule, UNIT],
    ["a state", decodeState, STATE],
    ["a machine", decodeMachine, { id: "m1" }],
    ["a move", decodeMove, { to: "m1" }],
    ["a note of a oneshot that has ended", decodeEnded, { hash: "h" }],
    ["a leader", decodeLeader, { machineID: "m1", version: 2 }],
  ];
  it.each(all)("of %s: each member that must be there", (_what, decode, value) => {
    expect(decode(JSON.stringify(value))).not.toBeNull();
    for (const name of Object.keys(value)) {
      expect(decode(JSON.stringify(without(value, name))), `without ${name}`).toBeNull();
      expect(decode(JSON.stringify({ ...value, [name]: [] })), `${name} of another type`).toBeNull();
    }
  });
  it.each([...all, ["a cordon", decodeCordon, {}] as const])("of %s: what is no object", (_what, decode) => {
    for (const text of ["", "{", "null", "1", '"x"', "[]", "true"]) expect(decode(text), text).toBeNull();
  });
});

it("a known machine keeps until when its units stay there", () => {
  const known = { primaryIP: "192.0.2.1", hostname: "one", lostSince: null, heldUntil: "2026-11-26T05:00:00.000Z" };
  expect(decodeKnownMachine(encodeKnownMachine(known))).toEqual(known);
  expect(decodeKnownMachine('{"primaryIP":"192.0.2.1"}')).toEqual({ primaryIP: "192.0.2.1", lostSince: null });
});

describe("what decisions are made on and is not what this version knows is unreadable, not left out", () => {
  it.each<[what: string, decode: Decode, value: object]>([
    ["a desired state", decodeUnit, { ...UNIT, desiredState: "paused" }],
    ["a desired state of a schedule entry", decodeSchedule, { ...UNIT, desiredState: "paused" }],
    ["a current state", decodeState, { ...STATE, current: "paused" }],
    ["whether a unit is global", decodeUnit, { ...UNIT, global: "zone" }],
    ["a reference to what a unit was read from", decodeUnit, { ...UNIT, source: { bundle: "h" } }],
    ...["machineID", "lastMachineID", "leaving", "wish", "movingTo"].map((member): [string, Decode, object] => [
      `${member} of a unit`,
      decodeUnit,
      { ...UNIT, [member]: ["m1", "m2"] },
    ]),
    ...["../x", "a/b", "..", "a b", "a\n", "\x1b[2J", ""].flatMap((text): [string, Decode, object][] => [
      [`a hash ${JSON.stringify(text)}`, decodeUnit, { ...UNIT, hash: text }],
      [`a hash ${JSON.stringify(text)} of a schedule entry`, decodeSchedule, { ...UNIT, hash: text }],
      [`a machine ${JSON.stringify(text)} of a unit`, decodeUnit, { ...UNIT, machineID: text }],
      [`a machine ${JSON.stringify(text)} of a move`, decodeMove, { to: text }],
      [`a machine's ID ${JSON.stringify(text)}`, decodeMachine, { id: text }],
      [`a leader ${JSON.stringify(text)}`, decodeLeader, { ...LEADER, machineID: text }],
    ]),
    ["metadata that is a list", decodeMachine, { id: "m1", metadata: ["a"] }],
    ["metadata that is a text", decodeMachine, { id: "m1", metadata: "ab" }],
    ["one key of metadata", decodeMachine, { id: "m1", metadata: { a: "1", b: 2 } }],
    ["what a cordon is for", decodeCordon, { drain: "slowly" }],
  ])("%s", (_what, decode, value) => expect(decode(JSON.stringify(value))).toBeNull());
});

describe("what is left out", () => {
  it.each<[what: string, decode: Decode, value: object, record: object]>([
    [
      "of a unit",
      decodeUnit,
      UNIT,
      { global: false, whereabouts: { kind: "nowhere", last: null, preferred: null }, cause: null },
    ],
    ["of a state", decodeState, STATE, { error: null }],
    [
      "of a machine",
      decodeMachine,
      { id: "m1" },
      { primaryIP: "", metadata: {}, version: "", capabilities: [], instanceID: "" },
    ],
    ["of a cordon", decodeCordon, {}, { drain: false, since: "" }],
    ["of a move", decodeMove, { to: "m1" }, { limit: 1, reason: "it was asked for" }],
    ["of a leader", decodeLeader, { machineID: "m1", version: 2 }, { startedAt: "" }],
  ])("%s has a default", (_what, decode, value, record) => {
    expect(decode(JSON.stringify(value))).toMatchObject(record);
  });
});

describe("what is of another type than it should be counts as left out", () => {
  it.each<[what: string, decode: Decode, value: object, record: object]>([
    [
      "of a unit",
      decodeUnit,
      { ...UNIT, global: null, machineID: null, cause: 2 },
      { global: false, cause: null, whereabouts: { kind: "nowhere" } },
    ],
    ["of metadata that is null", decodeMachine, { id: "m1", metadata: null }, { metadata: {} }],
    ["of capabilities", decodeMachine, { id: "m1", capabilities: "x" }, { capabilities: [] }],
    ["of one capability", decodeMachine, { id: "m1", capabilities: ["x", 1] }, { capabilities: ["x"] }],
    ["of a cordon", decodeCordon, { drain: null, since: 1 }, { drain: false, since: "" }],
    ["of the limit of a move", decodeMove, { to: "m1", limit: "3" }, { limit: 1 }],
  ])("%s", (_what, decode, value, record) => {
    const decoded = decode(JSON.stringify(value)) as Readonly<Record<string, unknown>>;
    expect(decoded).toMatchObject(record);
    if ("metadata" in record) expect(decoded.metadata).toEqual(record.metadata);
  });
});

it.each([
  ["h3", "h3"],
  ["h3.example.org", "h3.example.org"],
  ["-oProxyCommand=x", undefined],
  ["h3\n", undefined],
  ["", undefined],
  [3, undefined],
])("a machine's host name %j is read as %j", (hostname, read) => {
  expect(decodeMachine(JSON.stringify({ id: "m1", hostname }))?.hostname).toBe(read);
});

it.each([
  [3, 3],
  [2.9, 2],
  [1, 1],
  [0.5, 1],
  [0, 1],
  [-3, 1],
])("a move with the limit %d lets %d at a time be on their way", (limit, read) => {
  expect(decodeMove(JSON.stringify({ to: "m1", limit }))?.limit).toBe(read);
});

it.each([
  ["on a machine", { machineID: "m1" }, { kind: "placed", on: "m1" }],
  ["on its way to another", { machineID: "m1", movingTo: "m2" }, { kind: "moving", on: "m1", to: "m2" }],
  ["on its way to where it is, which is no way", { machineID: "m1", movingTo: "m1" }, { kind: "placed", on: "m1" }],
  ["on its way from nowhere, which is no way", { movingTo: "m1" }, { kind: "nowhere", last: null, preferred: null }],
  [
    "leaving",
    { leaving: "m1", lastMachineID: "m2", wish: "m3" },
    { kind: "leaving", from: "m1", last: "m2", preferred: "m3" },
  ],
  ["nowhere, and was last somewhere", { lastMachineID: "m1" }, { kind: "nowhere", last: "m1", preferred: null }],
  ["nowhere, with a wish", { wish: "m1" }, { kind: "nowhere", last: null, preferred: "m1" }],
])("a unit is read as %s", (_what, members, whereabouts) => {
  expect(decodeUnit(JSON.stringify({ ...UNIT, ...members }))?.whereabouts).toEqual(whereabouts);
});

describe("a record is written as every version reads it, and read as it was", () => {
  const unit = { hash: "h", desiredState: "launched", global: true, cause: "it fits" } as const;
  const state = { hash: "h", current: "loaded", systemd: { load: "a", active: "b", sub: "c" }, error: "no" } as const;
  const machine = {
    id: "m1",
    primaryIP: "ip",
    metadata: { a: "1" },
    version: "2",
    capabilities: ["x"],
    instanceID: "i",
  };
  it.each<[what: string, text: string, written: object, read: unknown, record: object]>([
    ...(
      [
        [{ kind: "placed", on: "m1" }, { machineID: "m1" }],
        [
          { kind: "moving", on: "m1", to: "m2" },
          { machineID: "m1", movingTo: "m2" },
        ],
        [
          { kind: "leaving", from: "m1", last: "m2", preferred: "m3" },
          { lastMachineID: "m2", leaving: "m1", wish: "m3" },
        ],
        [
          { kind: "nowhere", last: "m1", preferred: "m2" },
          { lastMachineID: "m1", wish: "m2" },
        ],
      ] as const
    ).map(([whereabouts, members]): [string, string, object, unknown, object] => {
      const record = { ...unit, whereabouts };
      const text = encodeUnit(record);
      return [`a unit that is ${whereabouts.kind}`, text, { ...unit, ...members }, decodeUnit(text), record];
    }),
    ["a schedule entry", encodeSchedule(unit), UNIT, decodeSchedule(encodeSchedule(unit)), UNIT],
    [
      "a state",
      encodeState(state),
      { hash: "h", current: "loaded", load: "a", active: "b", sub: "c", error: "no" },
      decodeState(encodeState(state)),
      { ...state, run: null },
    ],
    [
      "a state of a unit that the registry does not know",
      encodeState({ ...state, unknown: true }),
      { hash: "h", current: "loaded", load: "a", active: "b", sub: "c", error: "no", unknown: true },
      decodeState(encodeState({ ...state, unknown: true })),
      { ...state, run: null, unknown: true },
    ],
    ...(
      [
        [
          { result: "exit-code", exitStatus: 3, exitSignal: null, restarts: 0 },
          { result: "exit-code", exitStatus: 3 },
        ],
        [
          { result: "signal", exitStatus: null, exitSignal: "SIGKILL", restarts: 2 },
          { result: "signal", exitSignal: "SIGKILL", restarts: 2 },
        ],
        [{ result: "success", exitStatus: null, exitSignal: null, restarts: 5 }, { restarts: 5 }],
      ] as const
    ).map(([run, members]): [string, string, object, unknown, object] => {
      const text = encodeState({ ...state, error: null, run });
      const written = { hash: "h", current: "loaded", load: "a", active: "b", sub: "c", ...members };
      return [
        `a state whose run ended with ${run.result}`,
        text,
        written,
        decodeState(text),
        { ...state, error: null, run },
      ];
    }),
    [
      "a note of a oneshot that has ended",
      encodeEnded({ hash: "h" }),
      { hash: "h" },
      decodeEnded('{"hash":"h"}'),
      { hash: "h" },
    ],
    ["a machine", encodeMachine(machine), machine, decodeMachine(encodeMachine(machine)), machine],
    ...[true, false].map((drain): [string, string, object, unknown, object] => {
      const record = { drain, since: "2026" };
      return [`a cordon with drain ${drain}`, encodeCordon(record), record, decodeCordon(encodeCordon(record)), record];
    }),
    ...[{ to: "m1", limit: 2, reason: "even" }].map((record): [string, string, object, unknown, object] => [
      ...(["a move", encodeMove(record), record, decodeMove(encodeMove(record)), record] as const),
    ]),
    ["a leader", encodeLeader(LEADER), LEADER, decodeLeader(encodeLeader(LEADER)), LEADER],
  ])("%s", (_what, text, written, read, record) => {
    expect(JSON.parse(text)).toEqual(written);
    expect(read).toEqual(record);
  });
  it("without what is null, false or empty", () => {
    const whereabouts = { kind: "nowhere", last: null, preferred: null } as const;
    expect(encodeUnit({ ...unit, global: false, cause: null, whereabouts })).toBe(
      '{"hash":"h","desiredState":"launched"}',
    );
    expect(encodeState({ ...state, error: null })).not.toContain("error");
  });
  it("with the section of a unit's file, also an empty one, and without one that is too long", () => {
    const record = { ...unit, whereabouts: { kind: "placed", on: "m1" } } as const;
    for (const section of ["", "[X-Fleet]\nStay=true\n", "x".repeat(2_048)])
      expect(decodeUnit(encodeUnit({ ...record, section }))).toEqual({ ...record, section });
    expect(decodeUnit(encodeUnit({ ...record, section: "x".repeat(2_049) }))).toEqual(record);
  });
});
