import fc from "fast-check";
import { expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import { encodeCordon, encodeMachine, encodeUnit } from "../cluster/records.ts";
import { ClusterState } from "../cluster/state.ts";
import { hashText } from "../unit/file.ts";
import { NOWHERE, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { explainPlacement } from "./explain.ts";
import { ModelFeed } from "./model-feed.ts";
import { unfitText } from "./rules.ts";

const keys = new Keys("/f/");
const MACHINES = ["m1", "m2", "m3"];
const NAMES = ["a@1", "a@2", "b", "c"].map((name) => `${name}.service`);
const LINES = [
  ...["", "MachineID=m1", "MachineMetadata=a=1", "MachineMetadata=n>=5", "Conflicts=a@*", "Conflicts=b* c*"],
  ...["MachineOf=c.service", "MachineOf=b.service", "Replaces=c.service", "Replaces=a@*"],
];
const on = fc.constantFrom(...MACHINES);
const whereabouts: fc.Arbitrary<Whereabouts> = fc.oneof(
  fc.constant(NOWHERE),
  on.map((id) => ({ kind: "placed" as const, on: id })),
  fc.record({ kind: fc.constant("moving" as const), on, to: on }).filter(({ on: id, to }) => id !== to),
);
const cluster = fc.record({
  units: fc.tuple(...NAMES.map(() => fc.record({ lines: fc.constantFrom(...LINES), whereabouts }))),
  machines: fc.tuple(
    ...MACHINES.map(() =>
      fc.record({
        metadata: fc.constantFrom<Record<string, string>>({}, { a: "1" }, { n: "7" }, { a: "2", n: "x" }),
        isCordoned: fc.constantFrom(false, false, true),
      }),
    ),
  ),
});

function run<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

it("what is explained is what the engine goes by, machine by machine, on random clusters", () => {
  fc.assert(
    fc.property(cluster, ({ units, machines }) => {
      const state = new ClusterState(keys);
      let revision = 0;
      const put = (key: string, value: string): void => {
        revision++;
        state.put({ key, value, createRevision: revision, modRevision: revision });
      };
      for (const [index, { metadata, isCordoned }] of machines.entries()) {
        const id = MACHINES[index] ?? "";
        const rest = { primaryIP: "", version: "", capabilities: [], instanceID: "" };
        put(keys.machine(id), encodeMachine({ id, metadata, ...rest }));
        if (isCordoned) put(keys.cordon(id), encodeCordon({ drain: false, since: "" }));
      }
      for (const [index, { lines, whereabouts: where }] of units.entries()) {
        const text = `[Service]\nExecStart=/bin/a\n[X-Fleet]\n${lines}\n`;
        const hash = hashText(text);
        put(keys.unitFile(hash), text);
        const record = { hash, desiredState: "launched", global: false, whereabouts: where, cause: null } as const;
        put(keys.unit(NAMES[index] ?? ""), encodeUnit(record));
      }
      const feed = new ModelFeed(state);
      run(feed.load());
      for (const name of NAMES) {
        const unit = feed.model.units.get(name);
        if (unit === undefined) throw new Error(`the model does not know ${name}`);
        const unfit = MACHINES.map((id) => feed.model.unfit(unit, id));
        const placement = run(explainPlacement(state, name));
        expect(placement?.fitting).toBe(unfit.filter((reason) => reason === null).length);
        const said = new Map(placement?.reasons.map(({ reason, machines: count }) => [reason, count]));
        const counted = new Map<string, number>();
        for (const reason of unfit)
          if (reason !== null) counted.set(unfitText(reason), (counted.get(unfitText(reason)) ?? 0) + 1);
        expect(said).toEqual(counted);
      }
    }),
    { numRuns: 1_000 },
  );
});
