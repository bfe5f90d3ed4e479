import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { TestCA } from "../../../testbed/certificates.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { wideningProblems } from "./widening.ts";

const authority = new TestCA();
afterAll(() => authority.remove());
const { cert, key } = authority.sign("api", ["DNS:api"]);
const TLS = `api_tls_certfile=${cert}\napi_tls_keyfile=${key}\n`;
const CA = `api_client_cafile=${authority.ca}`;
const TOKEN = `operator ${"a".repeat(64)} ops\n`;
const loaded = (text: string): LoadedConfig =>
  loadConfig({
    file: { path: "/fleet.conf", text },
    env: {},
    readFile: (path) => (path === "/tokens" ? TOKEN : readFileSync(path, "utf8")),
  });
const problems = (before: string, after: string) => wideningProblems(loaded(before), loaded(after), "/fleet.conf");

describe("a reload is refused", () => {
  it.each([
    ["that has lost every option", "verbosity=1", "", "/fleet.conf is missing or has no option any more"],
    [
      "that asks for no tokens any more",
      "api_tokens_file=/tokens",
      "verbosity=1",
      "does not open the API to everybody",
    ],
    [
      "that asks for no certificates any more",
      `${TLS}${CA}`,
      TLS,
      "does not open the API to clients without a certificate",
    ],
    [
      "whose certificates would be asked for only later",
      TLS,
      `${TLS}${CA}`,
      "clients are asked for certificates from a restart of the daemon on",
    ],
    ["that leaves the metadata out", "metadata=a=1", "verbosity=1", "units that ask for it would move"],
  ])("%s", (_what, before, after, problem) =>
    expect(problems(before, after)).toEqual([expect.stringContaining(problem)]),
  );
});

it("a reload that widens nothing is taken", () => {
  expect(problems(`${TLS}${CA}`, `${TLS}${CA}\nverbosity=1`)).toEqual([]);
  expect(problems("verbosity=1", "api_tokens_file=/tokens")).toEqual([]);
  expect(problems("metadata=a=1", "metadata=")).toEqual([]);
});
