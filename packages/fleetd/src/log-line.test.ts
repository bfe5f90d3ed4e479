import { expect, it } from "vitest";
import { readableLines } from "./log-line.ts";

it.each([
  ["the sentence alone", { level: "info", msg: "stopped" }, ["stopped"]],
  [
    "the part in front, fields behind",
    { level: "info", part: "agent", machineID: "0a1b", units: 3, msg: "connected to systemd" },
    ["agent: connected to systemd machineID=0a1b units=3"],
  ],
  [
    "values with spaces quoted, lists and objects as JSON",
    { msg: "moved", reason: "it drains", roles: ["agent", "api"], at: null, to: { a: 1 } },
    ['moved reason="it drains" roles=["agent","api"] at=null to={"a":1}'],
  ],
  ["no field that looks like two", { msg: "m", unit: 'a b="c"' }, ['m unit="a b=\\"c\\""']],
  ["no control character", { msg: "a\nb\u001b[2Jc\u009b", x: "\u007f" }, ['a\\nb\\u001b[2Jc\ufffd x="\ufffd"']],
  [
    "an error's message as field, and its stack behind",
    { msg: "failed", err: { type: "Error", message: "no way", stack: "Error: no way\n    at a (b.js:1)\n    at c" } },
    ['failed err="no way"', "    at a (b.js:1)", "    at c"],
  ],
])("a log record is shown with %s", (_what, record, lines) => {
  expect(readableLines(JSON.stringify(record))).toEqual(lines);
});
