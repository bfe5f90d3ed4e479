import { describe, expect, it } from "vitest";
import { unitSample, usageSample } from "../testing/usage-samples.ts";
import { UsageBook } from "./usage.ts";
import { FIRST_VIEW, press, rowsOf, type View } from "./view.ts";

const book = new UsageBook();
const second = "2".repeat(32);
for (const monotonicMs of [1000, 2000]) {
  const at = monotonicMs / 1000 - 1;
  const web = [
    unitSample("web@1.service", { cpuMs: 100 * at, memoryBytes: 5 }),
    unitSample("db.service", { memoryBytes: 9 }),
  ];
  book.add(usageSample({ monotonicMs, units: web, cpuBusyMs: 10 * at }));
  const cron = [{ name: "cron.timer", active: "active", sub: "waiting", cpuMs: 0, tasks: 1 }];
  book.add(usageSample({ machineID: second, hostname: "h2", monotonicMs, units: cron, cpuBusyMs: 500 * at }));
}
const usage = book.usage();

const after = (...keys: string[]): View => {
  let view: View = FIRST_VIEW;
  for (const key of keys) {
    const next = press(view, key, rowsOf(usage, view));
    if (next === "quit") throw new Error("it quit");
    view = next;
  }
  return view;
};
const units = (...keys: string[]) => rowsOf(usage, after(...keys)).units.map(({ name }) => name);

describe("the order of rows", () => {
  it("is by CPU first, then by the key pressed, what has no figure last, and turned around by a second press", () => {
    expect(units()).toEqual(["web@1.service", "cron.timer", "db.service"]);
    expect(units("m")).toEqual(["db.service", "web@1.service", "cron.timer"]);
    expect(units("m", "m")).toEqual(["web@1.service", "db.service", "cron.timer"]);
    expect(units("n")).toEqual(["cron.timer", "db.service", "web@1.service"]);
    expect(units("n", "r")).toEqual(["web@1.service", "db.service", "cron.timer"]);
    expect(rowsOf(usage, after()).machines.map(({ hostname }) => hostname)).toEqual(["h2", "h1"]);
  });
});

describe("the filter", () => {
  it("takes what is typed, keys of commands too, by unit or machine", () => {
    expect(units("/", "c", "r", "o", "n", "enter")).toEqual(["cron.timer"]);
    expect(units("/", "H", "1", "enter")).toEqual(["web@1.service", "db.service"]);
    expect(units("/", "x", "backspace", "enter")).toHaveLength(3);
    expect(after("/", "x", "escape")).toMatchObject({ filter: "", isTyping: false });
    expect(after("/", "x", "enter", "escape").filter).toBe("");
  });
  it("can be one machine, chosen in the table of machines", () => {
    expect(units("tab", "down", "enter")).toEqual(["web@1.service", "db.service"]);
    expect(units("tab", "enter", "escape")).toHaveLength(3);
  });
});

describe("the marked row", () => {
  it("stays among those that are there", () => {
    expect(after("up").row).toBe(0);
    expect(after("end").row).toBe(2);
    expect(after("page-down", "down").row).toBe(2);
    expect(after("end", "home").row).toBe(0);
    expect(after("end", "c").row).toBe(0);
  });
});

describe("q and Ctrl-C", () => {
  it("quit; a q of the filter does not", () => {
    expect(press(FIRST_VIEW, "q", usage)).toBe("quit");
    expect(press({ ...FIRST_VIEW, isTyping: true }, "ctrl-c", usage)).toBe("quit");
    expect(press({ ...FIRST_VIEW, isTyping: true }, "q", usage)).toMatchObject({ filter: "q" });
  });
});
