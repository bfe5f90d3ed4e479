import { expect, it } from "vitest";
import { bytesText, cpuText, momentText, spanText } from "./amounts.ts";

it.each([
  [0, "0B"],
  [1023, "1023B"],
  [1_258_291, "1.2M"],
  [5 * 1024 ** 3, "5.0G"],
])("%d bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));
it.each([
  [12, "12ms"],
  [1_234, "1.234s"],
  [123_400, "2min 3.400s"],
  [3_723_000, "1h 2min 3s"],
])("%d ms of CPU time are %s", (ms, text) => expect(cpuText(ms)).toBe(text));
it.each([
  [-3, "0s"],
  [0, "0s"],
  [62, "1min 2s"],
  [3_600, "1h"],
  [90_000, "1 day 1h"],
  [200_000, "2 days 7h"],
])("%d seconds are %s", (seconds, text) => expect(spanText(seconds)).toBe(text));
it("a moment is one of this time zone", () => {
  expect(momentText(new Date(2026, 0, 2, 3, 4, 5))).toMatch(/^Fri 2026-01-02 03:04:05 \S+$/);
});
