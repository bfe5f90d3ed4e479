import { expect, it } from "vitest";
import { exposureWarnings } from "./exposure.ts";

const READ_ALONG = "without TLS: whoever is on the way can read along";
const ANYTHING = "can run anything on every machine";
it.each([
  ["unix", false, {}, []],
  ["loopback", false, {}, [`every user and program of this machine ${ANYTHING}`]],
  ["loopback", false, { hasTokens: true }, []],
  ["network", false, {}, [READ_ALONG, `whoever reaches it ${ANYTHING}`]],
  ["network", false, { hasTokens: true }, [READ_ALONG]],
  ["network", true, {}, [`whoever reaches it ${ANYTHING}`]],
  ["network", true, { hasTokens: true }, []],
  ["network", true, { hasClientCA: true }, ["every client with a certificate of api_client_cafile run anything"]],
  ["network", true, { hasClientCA: true, hasTokens: true }, []],
] as const)("of a %s socket, TLS %s, with %o, warns of what it lets others do", (reach, isSecure, given, wanted) => {
  const protection = { hasTokens: false, hasClientCA: false, ...given };
  const warnings = exposureWarnings({ address: "a:1", reach, isSecure }, protection);
  expect(warnings).toEqual(wanted.map((part) => expect.stringContaining(part)));
});
