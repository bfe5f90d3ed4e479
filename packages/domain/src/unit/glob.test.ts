import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { globMatches, hasWildcards, isGlob, isLiteralGlob } from "./glob.ts";
import { GlobSegment } from "./glob-segment.ts";

describe("globs", () => {
  it.each([
    ["*", "foo.service", true],
    ["foo*", "foo.service", true],
    ["f?o.service", "foo.service", true],
    ["[a-f]oo.service", "foo.service", true],
    ["[^a-e]oo.service", "foo.service", true],
    ["[^f]oo.service", "foo.service", false],
    ["foo\\*", "foo*", true],
    ["foo\\*", "foox", false],
    ["", "", true],
    ["[", "[", false],
    ["[]a]", "]", false],
    ["a[", "a", false],
    ["\\", "\\", false],
    ["[a-]", "a", false],
    ["foo@*.service", "foo@.service", true],
    ["a*", "b", false],
    ["ab", "a", false],
    ["a", "ab", false],
    ["a**", "a", true],
    ["**a", "ba", true],
    ["*a", "b", false],
    ["*ab", "aab", true],
    ["a*b*c", "a1b2b3c", true],
    ["a*b*c", "a1b2b3", false],
    ["a?", "a", false],
    ["a?", "a/", false],
    ["a*", "a/b", true],
    ["*b", "a/b", true],
    ["a[/]b", "a/b", true],
    ["a[^/]b", "a/b", false],
    ["a[^x]b", "a/b", true],
    ["*/b", "a/b", true],
    ["[ab]x", "bx", true],
    ["[ab]x", "cx", false],
    ["[a-cx-z]", "y", true],
    ["[a-cx-z]", "d", false],
    ["[a-c]", "a", true],
    ["[a-c]", "c", true],
    ["[c-a]", "b", false],
    ["[^a-cx]", "b", false],
    ["[^a-cx]", "x", false],
    ["[^a-cx]", "d", true],
    ["[^]", "^", false],
    ["[\\]]", "]", true],
    ["[\\-]", "-", true],
    ["[A-\\]]", "]", true],
    ["[\\a-c]", "b", true],
    ["*\\*", "x*", true],
    ["*\\*", "xy", false],
    ["[a]b", "ab", true],
    ["[a]b", "a", false],
    ["[a]b", "abc", false],
  ])("%j on %j: %s", (glob, name, matches) => expect(globMatches(glob, name)).toBe(matches));
  it.each(["[", "[]", "[]a]", "[^]", "[a", "[a-", "[a-]", "[-a]", "[a-]b]", "[\\", "[a-\\", "a\\", "[-", "[^-a]"])(
    "%j is malformed",
    (glob) => expect(isGlob(glob)).toBe(false),
  );
  it.each(["", "a", "*", "?", "[a]", "[^a]", "[a-b]", "[ab-cd]", "]", "a-b", "\\[", "[\\]]", "a]", "[[]"])(
    "%j is well-formed",
    (glob) => expect(isGlob(glob)).toBe(true),
  );
  it("agree with a plain definition", () => {
    const plain = (glob: string, name: string): boolean => {
      if (glob === "") return name === "";
      if (glob[0] === "*") return plain(glob.slice(1), name) || (name !== "" && plain(glob, name.slice(1)));
      return name !== "" && (glob[0] === "?" || glob[0] === name[0]) && plain(glob.slice(1), name.slice(1));
    };
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,10}$/), fc.stringMatching(/^[ab]{0,8}$/), (glob, name) => {
        expect(globMatches(glob, name)).toBe(plain(glob, name));
      }),
      { numRuns: 5000 },
    );
  });
});

it("a glob longer than a unit's conditions may be matches nothing", () => {
  expect([isGlob("*".repeat(8192)), globMatches("*".repeat(8192), "a")]).toEqual([true, true]);
  expect([isGlob("*".repeat(8193)), globMatches("*".repeat(8193), "a")]).toEqual([false, false]);
});

describe("a glob that nearly matches at every place", () => {
  it("costs one look at each character of a name", () => {
    const part = new GlobSegment([
      ...Array.from({ length: 100 }, () => ({ kind: "any" as const })),
      { kind: "character", code: 99 },
    ]);
    const name = "a".repeat(200);
    let looks = 0;
    const counted = {
      charCodeAt(at: number) {
        looks++;
        return name.charCodeAt(at);
      },
    };
    expect(part.findEach(counted, 0, name.length)).toBe(-1);
    expect(looks).toBe(200);
  });
  it.each([
    ["*[ab]b*", "aab", true],
    [`*${"[ab]".repeat(40)}c*`, `${"ab".repeat(30)}c`, true],
    [`*${"?".repeat(64)}c`, `${"a".repeat(64)}c`, true],
    [`*${"?".repeat(65)}c`, `${"a".repeat(64)}c`, false],
    [`x*${"?".repeat(33)}b*c`, `x${"a".repeat(32)}abc`, true],
    [`x*${"?".repeat(33)}b*c`, `x${"a".repeat(31)}abc`, false],
  ])("%s matches %s: %s", (glob, name, isMatch) => expect(globMatches(glob, name)).toBe(isMatch));
});

it.each([
  ["web.service", false, true],
  ["web*.service", true, false],
  ["web?.service", true, false],
  ["web[12].service", true, false],
  // A name that systemd has escaped, which as a glob means another name.
  ["a\\x2db.service", false, false],
])("%s: has wildcards %s, stands for itself alone %s", (pattern, wild, literal) => {
  expect([hasWildcards(pattern), isLiteralGlob(pattern)]).toEqual([wild, literal]);
});
