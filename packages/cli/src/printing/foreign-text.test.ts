import { beforeEach, describe, expect, it } from "vitest";
import { fakeServer } from "../testing/fake-server.ts";
import { clusterOf, id, state, unit } from "../testing/one-unit.ts";
import { jsonText } from "./output.ts";

/** Sets a window's title, clears the screen, begins a line of its own, turns the direction of writing around. */
const HOSTILE = "\x1b]0;owned\x07\x1b[2J\nError: all is lost\u202e\x9b31m";
const SAFE = "\\x1b]0;owned\\x07\\x1b[2J\\nError: all is lost\\u202e\\x9b31m";

const { run, answerWith } = fakeServer();

describe("text of others", () => {
  const options = [
    { section: "Unit", name: "Description", value: HOSTILE.replace("\n", "") },
    { section: "Service", name: "ExecStart", value: "/bin/a" },
  ];
  const cluster = clusterOf([{ ...state, error: HOSTILE }], [{ ...unit, options }]);
  beforeEach(() =>
    answerWith((method, path) =>
      path.startsWith("/machines") ? { body: { machines: [{ id, metadata: { a: HOSTILE } }] } } : cluster(method, path),
    ),
  );
  it.each([
    ["a unit's description", ["list-unit-files", "--fields=desc"], "DESC\n", `${SAFE.replace("\\n", "")}\n`],
    ["a machine's metadata", ["list-machines", "--fields=metadata"], "METADATA\n", `a=${SAFE}\n`],
  ])("in a list, as %s, is a part of one line that says nothing to a terminal", async (_what, args, header, row) => {
    for (const terminal of [null, { hasColors: true }])
      expect(await run(args, { terminal })).toEqual({ code: 0, stdout: header + row, stderr: "" });
  });
  it("in an error of an agent is a part of one line", async () => {
    const { stderr } = await run(["status", "a"], { localMachineID: id });
    expect(stderr).toBe(`Unit a.service on 113f16a7...: ${SAFE}\n`);
  });
  it("in an error of a server is a part of one line", async () => {
    answerWith(() => ({ status: 500, body: { error: { code: 500, message: HOSTILE } } }));
    expect((await run(["list-units"])).stderr).toBe(`Error: ${SAFE}\n`);
  });
  it("in JSON is escaped, and reads as it was", async () => {
    const { stdout } = await run(["list-machines", "--output=json"]);
    expect(stdout).not.toMatch(/[^\n\x20-\x7e]/);
    expect(JSON.parse(stdout)).toMatchObject([{ metadata: { a: HOSTILE } }]);
    expect(jsonText("é 漢 🙂")).toBe('"é 漢 🙂"');
  });
  it("in a unit's file reaches a pipe as it is, and a terminal as it is safe", async () => {
    const raw = await run(["cat", "a"]);
    expect(raw.stdout).toContain(`Description=${options[0]?.value}\n`);
    const shown = await run(["cat", "a"], { terminal: { hasColors: false } });
    expect(shown.stdout).toContain(`Description=${SAFE.replace("\\n", "")}\n`);
  });
});
