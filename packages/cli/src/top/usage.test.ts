import { describe, expect, it } from "vitest";
import { unitSample, usageSample } from "../testing/usage-samples.ts";
import { UsageBook } from "./usage.ts";

const bookOf = (...samples: ReturnType<typeof usageSample>[]) => {
  const book = new UsageBook();
  for (const sample of samples) book.add(sample);
  return book;
};

describe("rates", () => {
  it("are since the sample before, by the machine's own clock, and unknown with one sample only", () => {
    const first = usageSample({ units: [unitSample("a.service", { cpuMs: 10, ioReadBytes: 100, ioWriteBytes: 0 })] });
    const second = usageSample({
      monotonicMs: 3000,
      cpuBusyMs: 3100,
      units: [unitSample("a.service", { cpuMs: 510, ioReadBytes: 2100, ioWriteBytes: 2000 })],
    });
    const book = bookOf(first);
    expect(book.usage().machines[0]).toMatchObject({ cpu: null, load: 0.5, memory: 1024 ** 3 });
    book.add(second);
    expect(book.usage().machines[0]?.cpu).toBe(150);
    expect(book.usage().units[0]).toMatchObject({ cpu: 25, io: 2000, memory: 1024 ** 2, tasks: 1 });
  });
  it("are unknown for what began anew meanwhile, and never below 0", () => {
    const before = usageSample({ monotonicMs: 5000, units: [unitSample("a.service", { cpuMs: 900 })] });
    const restarted = bookOf(
      before,
      usageSample({ monotonicMs: 7000, units: [unitSample("a.service", { cpuMs: 1 })] }),
    );
    expect(restarted.usage().units[0]?.cpu).toBeNull();
    const rebooted = bookOf(before, usageSample({ monotonicMs: 10 }));
    expect(rebooted.usage().machines[0]?.cpu).toBeNull();
  });
  it("are unknown for what systemd does not account", () => {
    const unit = { name: "a.service", active: "active", sub: "running" };
    const book = bookOf(usageSample({ units: [unit] }), usageSample({ monotonicMs: 2000, units: [unit] }));
    expect(book.usage().units[0]).toMatchObject({ cpu: null, memory: null, tasks: null, io: null });
  });
});

describe("a machine that does not answer", () => {
  it("is shown with its error, without figures, and begins anew when it is back", () => {
    const away = usageSample({ error: "it does not answer", units: [] });
    const book = bookOf(usageSample({ units: [unitSample("a.service")] }), away);
    expect(book.usage()).toMatchObject({
      machines: [{ error: "it does not answer", cpu: null, memory: null }],
      units: [],
    });
    book.add(usageSample({ monotonicMs: 9000 }));
    expect(book.usage().machines[0]).toMatchObject({ error: null, cpu: null });
  });
});
