import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StateRecord, UnitRecord } from "../cluster/records.ts";
import { change } from "./change.ts";
import { isHeld, MOVE_LIMITS, type Move, type MovePhase, type MoveStep, type MoveView, stepMove } from "./move.ts";
import { NOWHERE, placesOf, scheduledTo, type Whereabouts } from "./whereabouts.ts";

const NOW = 1_000_000;
const move = (phase: MovePhase, preferred: string | null = null): Move => ({
  ...{ unit: "a.service", from: "m1", preferred, reason: "its machine m1 is being drained" },
  phase,
});
type Seen = UnitRecord & { readonly modRevision: number };
const record = (whereabouts: Whereabouts, more: Partial<Seen> = {}): Seen => ({
  ...{ hash: "h", desiredState: "launched", global: false, whereabouts, cause: null, modRevision: 10 },
  ...more,
});
const state = (active: string, sub: string, more: Partial<StateRecord> = {}): StateRecord => ({
  ...{ hash: "h", current: "launched", systemd: { load: "loaded", active, sub }, error: null },
  ...more,
});
const view = (seen: Seen | null, more: Partial<MoveView> = {}): MoveView => ({
  ...{ record: seen, mayOverlap: false, stateOn: () => undefined, target: () => "m2" },
  ...more,
});
const UP = state("active", "running");
const placed: Whereabouts = { kind: "placed", on: "m1" };
const moving: Whereabouts = { kind: "moving", on: "m1", to: "m2" };
const leaving: Whereabouts = { kind: "leaving", from: "m1", last: "m1", preferred: "m2" };
const at = { since: NOW - 1_000, revision: 10 };
const starting: MovePhase = { kind: "starting", to: "m2", ...at };
const stopping: MovePhase = { kind: "stopping", ...at };
const placing: MovePhase = { kind: "placing", ...at };
const settling: MovePhase = { kind: "settling", on: "m2", ...at };
const ending: MovePhase = { kind: "ending", giveUp: null, ...at };
const begun: MovePhase = { kind: "begin" };
const late = (phase: Exclude<MovePhase, { kind: "begin" }>, limit: number): MovePhase => ({
  ...phase,
  since: NOW - limit - 1,
});

type Row = readonly [string, MovePhase, MoveView, object];
const rows = (name: string, all: readonly Row[]): void => {
  describe(name, () => {
    it.each(all.map((row) => [...row] as const))("%s", (_what, phase, seen, expected) => {
      expect(stepMove(move(phase), seen, NOW)).toMatchObject(expected);
    });
  });
};

rows("a oneshot that has ended", [
  [
    "is on its new machine once it is loaded there",
    settling,
    view(record({ kind: "placed", on: "m2" }, { ended: true }), {
      stateOn: () => state("inactive", "dead", { current: "loaded" }),
    }),
    { kind: "end" },
  ],
  [
    "leaves its old machine once it is loaded on the new one",
    starting,
    view(record(moving, { ended: true }), { stateOn: () => state("inactive", "dead", { current: "loaded" }) }),
    { kind: "write", event: { kind: "finish-move" } },
  ],
  [
    "and is not known to is waited for",
    settling,
    view(record({ kind: "placed", on: "m2" }), { stateOn: () => state("inactive", "dead", { current: "loaded" }) }),
    { kind: "wait" },
  ],
]);

rows("a move begins", [
  [
    "by taking the unit off its machine",
    begun,
    view(record(placed)),
    {
      ...{ kind: "write", event: { kind: "leave", preferred: "m2" }, cause: "its machine m1 is being drained" },
      ...{ machine: null, next: { kind: "stopping" } },
    },
  ],
  [
    "by starting a unit that may overlap on its new machine too",
    begun,
    view(record(placed), { mayOverlap: true }),
    {
      ...{ kind: "write", event: { kind: "begin-move", to: "m2" }, cause: null, machine: "m2" },
      next: { kind: "starting", to: "m2" },
    },
  ],
  [
    "where another engine left it: on its way",
    begun,
    view(record(moving), { mayOverlap: true }),
    {
      ...{ kind: "wait", phase: { kind: "starting", to: "m2", since: NOW, revision: 10 } },
    },
  ],
  [
    "where another engine left it: leaving",
    begun,
    view(record(leaving)),
    {
      ...{ kind: "wait", phase: { kind: "stopping", since: NOW, revision: 10 } },
    },
  ],
  [
    "by stopping first where a unit on its way is only to be loaded by now",
    begun,
    view(record(moving)),
    {
      ...{ kind: "write", event: { kind: "leave" } },
    },
  ],
  [
    "not at all where the unit fits nowhere else",
    begun,
    view(record(placed), { target: () => null }),
    {
      ...{ kind: "give-up", why: "it fits on no other machine" },
    },
  ],
  [
    "by turning back where a unit on its way fits nowhere else any more",
    begun,
    view(record(moving), { target: () => null }),
    {
      ...{
        kind: "write",
        event: { kind: "cancel-move" },
        next: { kind: "ending", giveUp: "it fits on no other machine" },
      },
    },
  ],
  ["not where the unit is elsewhere by now", begun, view(record({ kind: "placed", on: "m3" })), { kind: "drop" }],
  ["not where its user has stopped it", begun, view(record(NOWHERE, { desiredState: "inactive" })), { kind: "drop" }],
  ["not where it was destroyed", begun, view(null), { kind: "drop" }],
  [
    "not where its user wants it inactive, though it is there still",
    begun,
    view(record(placed, { desiredState: "inactive" })),
    { kind: "drop" },
  ],
  [
    "by setting out for another machine where another engine had chosen one that fits no more",
    begun,
    view(record({ kind: "moving", on: "m1", to: "m3" }), { mayOverlap: true }),
    { kind: "write", event: { kind: "begin-move", to: "m2" } },
  ],
]);

rows("a unit that is started on its new machine too", [
  [
    "leaves the old one when it is up",
    starting,
    view(record(moving), { stateOn: () => UP }),
    {
      ...{ kind: "write", event: { kind: "finish-move" }, machine: "m2", next: { kind: "ending", giveUp: null } },
      cause: "its machine m1 is being drained",
    },
  ],
  [
    "leaves the old one when it has run and ended well",
    starting,
    view(record(moving), { stateOn: () => state("inactive", "dead") }),
    { event: { kind: "finish-move" } },
  ],
  [
    "is waited for while it starts",
    starting,
    view(record(moving), { stateOn: () => state("activating", "start") }),
    {
      ...{ kind: "wait", phase: starting },
    },
  ],
  [
    "is waited for while systemd starts it again",
    starting,
    view(record(moving), { stateOn: () => state("activating", "auto-restart") }),
    { kind: "wait" },
  ],
  [
    "is waited for until its machine reports the version that it was given",
    starting,
    view(record(moving), { stateOn: () => state("active", "running", { hash: "old" }) }),
    { kind: "wait" },
  ],
  ["is waited for while nothing is known of it", starting, view(record(moving)), { kind: "wait" }],
  [
    "stays where it was when it fails",
    starting,
    view(record(moving), { stateOn: () => state("failed", "failed") }),
    {
      ...{ kind: "write", event: { kind: "cancel-move" }, next: { giveUp: "it did not become active on machine m2" } },
    },
  ],
  [
    "stays where it was when its machine can't load it",
    starting,
    view(record(moving), { stateOn: () => state("inactive", "dead", { current: "inactive", error: "no" }) }),
    { event: { kind: "cancel-move" } },
  ],
  [
    "stays where it was when it takes too long",
    late({ ...starting }, MOVE_LIMITS.start),
    view(record(moving)),
    {
      ...{ event: { kind: "cancel-move" } },
    },
  ],
  [
    "stays where it was when the new machine does not fit any more",
    starting,
    view(record(moving), { stateOn: () => UP, target: () => "m3" }),
    { event: { kind: "cancel-move" }, next: { giveUp: "machine m2 does not fit it any more" } },
  ],
  [
    "is looked at anew when it is only to be loaded by now",
    starting,
    view(record(moving, { desiredState: "loaded" }), { stateOn: () => UP }),
    { kind: "wait", phase: begun },
  ],
  ["is left to who has changed it", starting, view(record(placed)), { kind: "drop" }],
  ...[
    ["on its way from elsewhere", { ...moving, on: "m3" }],
    ["on its way elsewhere", { ...moving, to: "m3" }],
    ["leaving", leaving],
  ].map(
    ([what, whereabouts]): Row => [
      `is left to who has changed it so that it is ${what}`,
      starting,
      view(record(whereabouts as Whereabouts), { stateOn: () => UP }),
      { kind: "drop" },
    ],
  ),
  [
    "is waited for while its machine has it loaded only",
    starting,
    view(record(moving), { stateOn: () => state("active", "running", { current: "loaded" }) }),
    { kind: "wait" },
  ],
  ["is over when it was destroyed", starting, view(null), { kind: "end" }],
]);

rows("a unit that is taken off its machine", [
  [
    "is placed once that says nothing of it any more",
    stopping,
    view(record(leaving), { stateOn: () => null }),
    {
      ...{ kind: "write", event: { kind: "left" }, next: { kind: "placing" }, warning: null },
    },
  ],
  [
    "is waited for while it stops",
    stopping,
    view(record(leaving), { stateOn: () => state("deactivating", "stop") }),
    {
      ...{ kind: "wait", phase: stopping },
    },
  ],
  ["is waited for while nothing is known of it", stopping, view(record(leaving)), { kind: "wait" }],
  [
    "is placed when it has not stopped in time, which is said",
    late({ ...stopping }, MOVE_LIMITS.stop),
    view(record(leaving), { stateOn: () => UP }),
    { event: { kind: "left" }, warning: "it has not stopped within 300 s: it is placed anew" },
  ],
  ["is over when its user has stopped it", stopping, view(record(NOWHERE), { stateOn: () => null }), { kind: "end" }],
  [
    "is over when it leaves another machine by now",
    stopping,
    view(record({ ...leaving, from: "m3" }), { stateOn: () => null }),
    { kind: "end" },
  ],
  ["is over when it was destroyed", stopping, view(null), { kind: "end" }],
]);

rows("a unit that has left its machine", [
  ["is waited for until it is placed", placing, view(record(NOWHERE)), { kind: "wait", phase: placing }],
  [
    "is not waited for where it fits nowhere",
    late({ ...placing }, MOVE_LIMITS.place),
    view(record(NOWHERE)),
    {
      ...{ kind: "end" },
    },
  ],
  [
    "is waited for once more when it is placed",
    placing,
    view(record({ kind: "placed", on: "m2" })),
    {
      ...{ kind: "wait", phase: { kind: "settling", on: "m2", since: NOW } },
    },
  ],
  [
    "is done with when it is placed and not to be started",
    placing,
    view(record({ kind: "placed", on: "m2" }, { desiredState: "loaded" })),
    { kind: "end" },
  ],
  ["is waited for until it is up", settling, view(record({ kind: "placed", on: "m2" })), { kind: "wait" }],
  [
    "is done with when it is up",
    settling,
    view(record({ kind: "placed", on: "m2" }), { stateOn: () => UP }),
    {
      ...{ kind: "end" },
    },
  ],
  [
    "is done with when it has failed",
    settling,
    view(record({ kind: "placed", on: "m2" }), { stateOn: () => state("failed", "failed") }),
    { kind: "end" },
  ],
  [
    "is done with when it takes too long",
    late({ ...settling }, MOVE_LIMITS.start),
    view(record({ kind: "placed", on: "m2" })),
    { kind: "end" },
  ],
  [
    "is done with when it is not to be started any more",
    settling,
    view(record({ kind: "placed", on: "m2" }, { desiredState: "loaded" })),
    { kind: "end" },
  ],
  ["is done with when it is elsewhere by now", settling, view(record({ kind: "placed", on: "m3" })), { kind: "end" }],
]);

rows("a move whose last write is made", [
  ["is over", ending, view(record({ kind: "placed", on: "m2" })), { kind: "end" }],
  [
    "is given up where it came to nothing",
    { ...ending, giveUp: "it fits on no other machine" } as MovePhase,
    view(record(placed)),
    { kind: "give-up", why: "it fits on no other machine" },
  ],
  ["is over when the unit was destroyed", ending, view(null), { kind: "end" }],
]);

describe("what the engine has written itself", () => {
  it.each([starting, stopping, placing, settling, ending])(
    "is waited for in its own view, however long that takes: $kind",
    (phase) => {
      const behind = view(record(leaving, { modRevision: 9 }), { stateOn: () => null });
      expect(stepMove(move(phase), behind, NOW)).toEqual({ kind: "wait", phase });
      const old = { ...phase, since: NOW - 3_600_000 } as MovePhase;
      expect(stepMove(move(old), behind, NOW)).toEqual({ kind: "wait", phase: old });
    },
  );
});

describe("a limit is reached only when more time than that has passed", () => {
  const due = (phase: Exclude<MovePhase, { kind: "begin" }>, limit: number): MovePhase => ({
    ...phase,
    since: NOW - limit,
  });
  it.each<[what: string, phase: MovePhase, view: MoveView]>([
    ["starting", due({ ...starting }, MOVE_LIMITS.start), view(record(moving))],
    ["stopping", due({ ...stopping }, MOVE_LIMITS.stop), view(record(leaving))],
    ["placing", due({ ...placing }, MOVE_LIMITS.place), view(record(NOWHERE))],
    ["settling", due({ ...settling }, MOVE_LIMITS.start), view(record({ kind: "placed", on: "m2" }))],
  ])("%s", (_what, phase, seen) => expect(stepMove(move(phase), seen, NOW)).toEqual({ kind: "wait", phase }));
});

it("the plan leaves a unit alone until it has left its machine, or its move is over", () => {
  expect([begun, starting, stopping, placing, settling, ending].map((phase) => isHeld(move(phase)))).toEqual([
    ...[true, true, true, false, false, true],
  ]);
});

describe("whatever happens meanwhile", () => {
  const happening = fc.oneof(
    fc.constantFrom<Whereabouts>(placed, moving, leaving, NOWHERE, { kind: "placed", on: "m2" }).map((whereabouts) => ({
      ...{ kind: "changed" as const, whereabouts },
    })),
    fc.constant({ kind: "destroyed" as const }),
    fc
      .constantFrom(
        UP,
        null,
        state("failed", "failed"),
        state("inactive", "dead"),
        state("activating", "start"),
        undefined,
      )
      .map((said) => ({ kind: "said" as const, said })),
    fc.constantFrom("m2", "m3", null).map((target) => ({ kind: "target" as const, target })),
    fc.constantFrom("launched" as const, "loaded" as const).map((desired) => ({ kind: "wanted" as const, desired })),
  );
  type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;
  /** A record after what its user or the engine did; one that must not overlap is never put on its way by them. */
  const changed = (seen: Seen | null, event: Happening | null, overlaps: boolean): Seen | null => {
    if (seen === null || event?.kind === "destroyed") return null;
    const next = { ...seen, modRevision: seen.modRevision + 1 };
    if (event?.kind === "wanted") return { ...next, desiredState: event.desired };
    if (event?.kind !== "changed" || (!overlaps && event.whereabouts.kind === "moving")) return seen;
    return { ...next, whereabouts: event.whereabouts };
  };
  /** A move on its way, and what is so around it. */
  interface Course {
    current: ReturnType<typeof move>;
    seen: Seen | null;
    said: StateRecord | null | undefined;
    target: string | null;
    now: number;
    readonly overlaps: boolean;
  }
  const stepOf = ({ current, seen, said, target, now, overlaps }: Course): MoveStep => {
    const mayOverlap = overlaps && seen?.desiredState === "launched";
    return stepMove(current, view(seen, { mayOverlap, stateOn: () => said, target: () => target }), now);
  };
  /** Does what a step writes; returns whether the move goes on. */
  const write = (course: Course, step: Extract<MoveStep, { kind: "write" }>): boolean => {
    if (course.seen === null) return false;
    const whereabouts = change(course.seen.whereabouts, step.event);
    const modRevision = course.seen.modRevision + 1;
    course.seen = { ...course.seen, whereabouts, modRevision };
    if (!course.overlaps) expect(whereabouts.kind).not.toBe("moving");
    course.current = { ...course.current, phase: { ...step.next, revision: modRevision } };
    return true;
  };
  const happen = (course: Course, event: Happening | null): void => {
    course.now += 60_000;
    if (event?.kind === "said") course.said = event.said;
    else if (event?.kind === "target") course.target = event.target;
    else course.seen = changed(course.seen, event, course.overlaps);
  };
  /** Does a step, or lets the next thing happen where it waits; returns whether the move goes on. */
  const advance = (course: Course, events: (Happening | null)[]): boolean => {
    const step = stepOf(course);
    if (step.kind === "write") return write(course, step);
    if (step.kind === "end" || step.kind === "drop" || step.kind === "give-up") return false;
    if (step.phase !== course.current.phase) course.current = { ...course.current, phase: step.phase };
    else happen(course, events.pop() ?? null);
    return true;
  };
  it("a move ends within its limits, and a unit that must not overlap is never on two machines", () => {
    const eventsArbitrary = fc.array(fc.option(happening, { nil: null }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.boolean(), eventsArbitrary, (overlaps, events) => {
        const course: Course = {
          current: move(begun),
          seen: record(placed),
          said: UP,
          target: "m2",
          now: NOW,
          overlaps,
        };
        // Each limit is waited out at most once in each phase, and a phase is entered anew only when something happened.
        for (let steps = 0; advance(course, events); steps++) expect(steps).toBeLessThan(200);
        const { seen } = course;
        const places = seen === null ? [] : placesOf(seen.whereabouts);
        expect(places.length).toBeLessThanOrEqual(overlaps ? 2 : 1);
        expect(seen === null || scheduledTo(seen.whereabouts) === null || places.length > 0).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
