import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { unitSample, usageSample } from "../testing/usage-samples.ts";
import { keysOf } from "./keys.ts";
import { render, renderOnce } from "./render.ts";
import { UsageBook } from "./usage.ts";
import { FIRST_VIEW } from "./view.ts";

const usageOf = (...samples: ReturnType<typeof usageSample>[]) => {
  const book = new UsageBook();
  for (const sample of samples) book.add(sample);
  return book.usage();
};
const many = usageOf(
  ...Array.from({ length: 40 }, (_, index) =>
    usageSample({
      machineID: String(index).padStart(32, "0"),
      hostname: `h${index}`,
      units: [unitSample(`a-unit-with-a-long-name-that-goes-on@${index}.service`)],
    }),
  ),
);

describe("the screen", () => {
  it.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [80, 3],
  ])("of %i by %i is filled exactly, in sight of the marked row", (columns, rows) => {
    for (const focus of ["units", "machines"] as const) {
      const lines = render(many, { ...FIRST_VIEW, focus, row: 39 }, { columns, rows, hasColors: true });
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect([...stripVTControlCharacters(line)].length).toBeLessThanOrEqual(columns);
      if (rows >= 10) expect(lines.some((line) => line.includes("\u001b[1;7m"))).toBe(true);
    }
  });
  it("has unit, machine, state and all figures in 80 columns", () => {
    const [first] = renderOnce(many, 80).slice(-41);
    expect(first).toMatch(/^UNIT +MACHINE +STATE +CPU% +MEM TASKS +IO\/S$/);
  });
  it("uses no colour where the terminal has none, and says trouble in words", () => {
    const failed = usageOf(
      usageSample({ units: [unitSample("a.service", { active: "failed", sub: "failed" })] }),
      usageSample({ machineID: "2".repeat(32), hostname: "h2", error: "it does not answer" }),
    );
    const lines = render(failed, FIRST_VIEW, { columns: 80, rows: 24, hasColors: false });
    expect(lines.join("\n")).not.toContain("\u001b[31m");
    expect(lines[0]).toContain("2 machines, 1 not answering | 1 unit, 1 failed");
    expect(lines.join("\n")).toMatch(/h2 {2}it does not answer/);
    expect(lines.join("\n")).toMatch(/a\.service .* failed/);
  });
  it("never passes on what a terminal would obey", () => {
    const hostile = usageOf(usageSample({ hostname: "\u001b]0;x\u0007", units: [unitSample("a\u001b[2J.service")] }));
    expect(renderOnce(hostile, 120).join("")).not.toContain("\u001b");
  });
});

describe("keys", () => {
  it("are told apart in what a terminal sends at once", () => {
    expect(keysOf("q")).toEqual(["q"]);
    expect(keysOf("\u001b[A\u001b[6~x\r\u0003")).toEqual(["up", "page-down", "x", "enter", "ctrl-c"]);
    expect(keysOf("\u001b")).toEqual(["escape"]);
    expect(keysOf("\u001b[99~ü")).toEqual(["ü"]);
  });
});
