import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, readConfig } from "@fleet/config";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ReloadOutcome, requestReload } from "./reload-request.ts";
import { Reloader } from "./reloader.ts";

const path = join(tmpdir(), `fleet-reload-${process.pid}.conf`);
const tokens = `${path}.tokens`;
const TOKEN = `operator ${"a".repeat(64)} Jo\n`;
const START = `api_tokens_file=${tokens}\nmetadata=rack=1\n`;

let directory: string;
let applied: Config[];
let outcomes: boolean[];
let errors: string[];
let warnings: string[];
let status: string[];
let reloader: Reloader;

beforeEach(() => {
  [applied, outcomes, errors, warnings, status] = [[], [], [], [], []];
  directory = mkdtempSync(join(tmpdir(), "fleet-reload-"));
  writeFileSync(path, START);
  writeFileSync(tokens, TOKEN);
  const ignore = (): void => undefined;
  reloader = new Reloader({
    daemon: {
      reload: async (config) => void applied.push(config),
      onReloaded: (succeeded) => void outcomes.push(succeeded),
    },
    roles: ["api"],
    log: {
      info: ignore,
      warn: (text: unknown) => void warnings.push(String(text)),
      error: (text: unknown) => void errors.push(String(text)),
    },
    configPath: path,
    loaded: readConfig(path, {}),
    env: { RUNTIME_DIRECTORY: `${directory}:/other` },
    status: (text) => void status.push(text),
  });
});
afterEach(() => {
  for (const file of [path, tokens]) rmSync(file, { force: true });
  rmSync(directory, { force: true, recursive: true });
});

describe("a reload", () => {
  it.each([
    ["without the file", () => rmSync(path), "can't be read"],
    ["with an empty file", () => writeFileSync(path, ""), "has no option any more"],
    ["with nothing but comments", () => writeFileSync(path, "# soon\n"), "has no option any more"],
    ["without the option that names the tokens", () => writeFileSync(path, "metadata=rack=1\n"), "everybody"],
    ["without the metadata", () => writeFileSync(path, `api_tokens_file=${tokens}\n`), "write metadata="],
    ["without the file of tokens", () => rmSync(tokens), "can't be read"],
    ["with a broken line in the file of tokens", () => writeFileSync(tokens, `${TOKEN}nonsense\n`), "line 2"],
    ["with an invalid option beside a valid change", () => writeFileSync(path, `${START}agent_ttl=x\n`), "agent_ttl"],
  ])("%s changes nothing, and says so in log, status and metric", (_name, change, reason) => {
    change();
    reloader.reload();
    expect([applied, outcomes]).toEqual([[], [false]]);
    expect(errors.join()).toContain(reason);
    expect(status.join()).toContain(reason);
  });
  it("that succeeds after one that failed takes the status away", () => {
    writeFileSync(path, "");
    reloader.reload();
    writeFileSync(path, START.replace("rack=1", "rack=2"));
    reloader.reload();
    expect(applied.map(({ metadata }) => metadata)).toEqual([{ rack: "2" }]);
    expect([outcomes, status.at(-1)]).toEqual([[false, true], ""]);
  });
  it("after the last token was revoked leaves nobody who may use the API", () => {
    writeFileSync(tokens, "# none\n");
    reloader.reload();
    expect(applied.map(({ apiTokens }) => apiTokens)).toEqual([[]]);
  });
  it("is held to what was taken over last, not to the start", () => {
    writeFileSync(tokens, "");
    reloader.reload();
    writeFileSync(path, "metadata=rack=1\n");
    reloader.reload();
    expect(outcomes).toEqual([true, false]);
  });
});

describe("who has asked for a reload", () => {
  const ask = (): Promise<ReloadOutcome> => requestReload(directory, () => reloader.reload(), 5_000);

  it("is told why it was refused, and that the next one is in force", async () => {
    writeFileSync(path, "metadata=rack=1\n");
    expect((await ask()).refusal).toContain("api_tokens_file");
    writeFileSync(path, START.replace("rack=1", ""));
    expect(await ask()).toEqual({ refusal: null, pending: null });
    expect(applied.map(({ metadata }) => metadata)).toEqual([{}]);
  });
  it("is told which options need a restart, as are log and status, until they are as at the start", async () => {
    writeFileSync(path, `${START}agent_ttl=31s\napi_listen=unix:///run/x.sock\nunits_directory=/run/x\n`);
    const pending =
      "the configuration was reloaded, but a restart is needed for what has changed of agent_ttl, api_listen";
    expect(await ask()).toEqual({ refusal: null, pending });
    expect([warnings, status]).toEqual([[pending], [pending]]);
    // It still is needed after a reload that changes nothing more.
    expect((await ask()).pending).toBe(pending);
    writeFileSync(path, START);
    expect(await ask()).toEqual({ refusal: null, pending: null });
    expect(status.at(-1)).toBe("");
  });
  it("is told that there is no answer, and takes none that is another's", async () => {
    await ask();
    await expect(requestReload(directory, () => undefined, 50)).rejects.toThrow("did not say within 0.05 s");
  });
  it("does not end the daemon where the answer can't be written", () => {
    rmSync(directory, { recursive: true });
    writeFileSync(directory, "");
    reloader.reload();
    expect(outcomes).toEqual([true]);
    expect(errors).not.toEqual([]);
  });
});
