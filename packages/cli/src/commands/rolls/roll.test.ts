import { describe, expect, it } from "vitest";
import { type Answer, fakeServer } from "../../testing/fake-server.ts";

const { run, answerWith, requests } = fakeServer();

type Status = "running" | "paused" | "undoing" | "done" | "failed" | "undone";

/** A roll as a server tells it. */
function rollOf(id: string, status: Status, phases: readonly string[], why?: string): object {
  return {
    ...{ id, kind: "replace", status, maxUnavailable: 1, pauseSeconds: 0, settleSeconds: 10, onFailure: "stop" },
    ...{ time: "2026-11-26T09:00:00Z", by: "ann", message: "new port" },
    ...(why === undefined ? {} : { why }),
    units: phases.map((phase, index) => ({ name: `web@${index + 1}.service`, phase, from: "old", to: "new" })),
  };
}

const unit = (name: string, version: string, desiredState = "launched"): object => ({
  ...{ name, desiredState, currentState: desiredState, machineID: "m1" },
  options: [{ section: "Service", name: "ExecStart", value: `/bin/${version}` }],
});
const up = (name: string): object => ({
  ...{ name, hash: "old", machineID: "m1", currentState: "launched" },
  ...{ systemdLoadState: "loaded", systemdActiveState: "active", systemdSubState: "running" },
});

/** A server with these units and rolls, or too old for rolls (null); a roll that is asked for goes through `course`, a step a look. */
function serve(units: readonly object[], rolls: readonly object[] | null, course: readonly object[] = []): void {
  const left = [...course];
  const answers: readonly (readonly [pattern: RegExp, answer: (path: string) => Answer])[] = [
    [/^POST .rolls$/, () => (rolls === null ? { status: 404 } : { status: 201, body: left[0] })],
    [/^GET .rolls$/, () => ({ body: { rolls } })],
    [/^(POST .rolls.|PUT .units.)/, () => ({ status: 204 })],
    [/^GET .rolls./, () => ({ body: left.length > 1 ? left.shift() : (left[0] ?? rolls?.at(-1)) })],
    [/^GET .state/, () => ({ body: { states: units.map((one) => up((one as { name: string }).name)) } })],
    [/^GET .machines/, () => ({ body: { machines: [] } })],
    [/^GET .units([?].*)?$/, () => ({ body: { units } })],
  ];
  answerWith((method, path) => {
    const answer = answers.find(([pattern]) => pattern.test(`${method} ${path}`));
    return answer === undefined ? { status: 404 } : answer[1](path);
  });
}

const NEW = "[Service]\nExecStart=/bin/new\n";
const WEBS = [unit("web@1.service", "old"), unit("web@2.service", "old"), unit("web@3.service", "new")];

describe("start --replace --roll", () => {
  it("rolls the instances of a template that run and differ, and tells how far it is", async () => {
    serve(
      WEBS,
      [],
      [
        rollOf("7", "running", ["starting", "waiting"]),
        rollOf("7", "running", ["done", "starting"]),
        rollOf("7", "done", ["done", "done"]),
      ],
    );
    const files = { "web@.service": NEW };
    const { code, stdout, stderr } = await run(["start", "--replace", "--roll", "-m", "new port", "web@.service"], {
      files,
    });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("Roll 7 begun: replace 2 units, at most 1 down at a time\n");
    expect(stdout).toContain("Unit web@1.service done\n");
    expect(stdout).toContain("Roll 7 done (2 of 2 done)\n");
    const asked = requests().find((request) => request.startsWith("POST /rolls ")) ?? "";
    expect(JSON.parse(asked.slice("POST /rolls ".length))).toEqual({
      kind: "replace",
      message: "new port",
      units: ["web@1.service", "web@2.service"].map((name) => ({ name, text: NEW })),
    });
  });

  it("begins nothing where nothing differs", async () => {
    serve([unit("web@3.service", "new")], []);
    const { code, stderr } = await run(["start", "--replace", "--roll", "web@.service"], {
      files: { "web@.service": NEW },
    });
    expect([code, stderr]).toEqual([0, "No unit has to be rolled: nothing to do.\n"]);
  });

  it("has exit code 1 where the roll fails, with the reason", async () => {
    serve(WEBS, [], [rollOf("7", "running", ["starting"]), rollOf("7", "failed", ["failed"], "web@1.service failed")]);
    const { code, stderr } = await run(["start", "--replace", "--roll", "web@1.service"], {
      files: { "web@1.service": NEW },
    });
    expect([code, stderr]).toEqual([1, "Error: Roll 7 failed: web@1.service failed (0 of 1 done, 1 failed)\n"]);
  });

  it("says that a server is too old", async () => {
    serve(WEBS, null);
    const files = { "web@1.service": NEW };
    const { code, stderr } = await run(["start", "--replace", "--roll", "web@1.service"], { files });
    expect([code, stderr]).toEqual([1, expect.stringContaining("this server is too old for rolls")]);
  });
});

describe("a flag of rolls", () => {
  it.each([
    [["start", "--roll", "a"], "--roll needs --replace"],
    [["start", "--canary", "1", "a"], "--canary has no effect without --roll"],
    [["restart", "--on-failure", "undo", "--roll", "a"], "unknown option '--on-failure'"],
    [["restart", "-m", "why", "a"], "--message has no effect without --roll"],
    [["restart", "--roll", "--max-unavailable", "0%", "a"], "expected a number from 1 on"],
    [["restart", "--roll", "--settle", "soon", "a"], "expected seconds, from 0 to 86400"],
    [["start", "--replace", "--roll", "--canary", "0", "a"], "expected a number from 1 on"],
    [["start", "--replace", "--roll", "--on-failure", "cry", "a"], "expected stop or undo"],
  ])("%j: %s", async (args, words) => {
    serve([], []);
    const { code, stderr } = await run(args);
    expect([code, stderr]).toEqual([1, expect.stringContaining(words)]);
    expect(requests().filter((request) => !request.startsWith("GET"))).toEqual([]);
  });
});

describe("restart --roll", () => {
  it("takes globs, says what is down already, and leaves out what is not launched", async () => {
    serve(
      [...WEBS, unit("web@4.service", "old", "loaded")],
      [],
      [rollOf("8", "running", ["stopping"]), rollOf("8", "done", ["done"])],
    );
    const { code } = await run(["restart", "--roll", "--max-unavailable", "50%", "web@*"]);
    expect(code).toBe(0);
    const asked = JSON.parse(
      (requests().find((one) => one.startsWith("POST /rolls ")) ?? "").slice("POST /rolls ".length),
    );
    expect(asked).toEqual({
      ...{ kind: "restart", maxUnavailable: "50%" },
      units: ["web@1.service", "web@2.service", "web@3.service"].map((name) => ({ name })),
    });
  });
});

describe("roll", () => {
  const DONE = rollOf("6", "done", ["done", "done"]);
  const PAUSED = rollOf("7", "paused", ["done", "waiting"], "paused by ann");

  it("list shows each in a line, as JSON with its units", async () => {
    serve([], [DONE, PAUSED]);
    const { stdout } = await run(["roll", "list", "--no-legend", "--fields", "roll,status,progress,by,message"]);
    expect(stdout.replaceAll(/\t+/g, "|")).toBe(
      "6|done|2 of 2 done|ann|new port\n7|paused|1 of 2 done, 1 waiting|ann|new port\n",
    );
    expect(JSON.parse((await run(["roll", "list", "-o", "json"])).stdout)).toEqual([DONE, PAUSED]);
  });

  it("status shows one, unit by unit: the one in progress, or the newest", async () => {
    serve([], [PAUSED, rollOf("8", "done", ["done"])]);
    const { stdout } = await run(["roll", "status"]);
    expect(stdout).toContain("Roll:    7, replace of 2 units\nStatus:  paused: paused by ann\n");
    expect(stdout.replaceAll(/\t+/g, "|")).toContain("web@2.service|waiting|\n");
    expect(JSON.parse((await run(["roll", "status", "-o", "json", "8"])).stdout)).toMatchObject({ id: "8" });
  });

  it("pause, undo and cancel tell the roll so", async () => {
    serve([], [DONE, PAUSED]);
    for (const order of ["pause", "cancel"]) expect((await run(["roll", order])).code).toBe(0);
    expect((await run(["roll", "undo", "--no-block", "6"])).code).toBe(0);
    expect(requests().filter((request) => request.startsWith("POST"))).toEqual([
      'POST /rolls/7 {"order":"pause"}',
      'POST /rolls/7 {"order":"cancel"}',
      'POST /rolls/6 {"order":"undo"}',
    ]);
  });

  it("resume waits for what comes of it", async () => {
    serve([], [PAUSED], [rollOf("7", "running", ["done", "starting"]), rollOf("7", "done", ["done", "done"])]);
    const { code, stdout } = await run(["roll", "resume"]);
    expect([code, stdout]).toEqual([0, "Unit web@2.service done\nRoll 7 done (2 of 2 done)\n"]);
  });

  it.each([
    [["roll", "stop"], "expected one of list, status, pause, resume, undo, cancel"],
    [["roll", "status", "9"], 'There is no roll "9"'],
    [["roll", "pause", "7", "8"], "takes one action and one roll"],
    [["roll", "list", "-w"], "--watch goes with status only"],
    [["roll", "pause"], "rolls 7, 8 are in progress: name one of them"],
  ])("%j is refused: %s", async (args, words) => {
    serve([], [PAUSED, rollOf("8", "running", ["starting"])]);
    const { code, stderr } = await run(args);
    expect([code, stderr]).toEqual([1, expect.stringContaining(words)]);
  });

  it("with none in progress has nothing to pause", async () => {
    serve([], [DONE]);
    expect((await run(["roll", "pause"])).stderr).toContain("no roll is in progress");
    serve([], []);
    expect((await run(["roll", "list"])).stderr).toBe("There are no rolls.\n");
  });
});
