import fc from "fast-check";
import { expect, it } from "vitest";
import { NameDelta, SortedNames } from "./sorted-names.ts";

const name = fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom("a", "b", "B", "-", "é") });
const changes = fc.array(fc.tuple(name, fc.boolean()), { maxLength: 200 });

it("names stay in order and single, however they come and go", () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 10 }), (batches) => {
      const names = new SortedNames();
      const expected = new Set<string>();
      for (const batch of batches) {
        const delta = new NameDelta();
        for (const [one, isPresent] of batch) {
          delta.record(one, isPresent);
          if (isPresent) expected.add(one);
          else expected.delete(one);
        }
        delta.applyTo(names);
        expect(names.slice(0, names.size)).toEqual([...expected].sort());
      }
    }),
  );
});

it("many names at once are taken in as they are one by one", () => {
  const atOnce = new SortedNames();
  const oneByOne = new SortedNames();
  const delta = new NameDelta();
  for (let index = 0; index < 500; index++) {
    const name = `n${(index * 7919) % 300}.service`;
    const isPresent = index % 3 > 0;
    delta.record(name, isPresent);
    if (isPresent) oneByOne.add(name);
    else oneByOne.delete(name);
  }
  delta.applyTo(atOnce);
  expect(atOnce.slice(0, atOnce.size)).toEqual(oneByOne.slice(0, oneByOne.size));
  expect([atOnce.at(0), atOnce.at(atOnce.size)]).toEqual([oneByOne.at(0), undefined]);
});
