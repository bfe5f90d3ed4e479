import { expect, it } from "vitest";
import { cpuFigures, loadFigures, memoryFigures, pressureFigures } from "./machine-figures.ts";

it("CPU time is that of all CPUs, without idle time and waits for disks", () => {
  const text = "cpu  100 5 30 9000 400 2 3 1 50 0\ncpu0 50 0 0 0 0 0 0 0 0 0\ncpu1 50 0 0 0 0 0 0 0 0 0\nintr 1\n";
  expect(cpuFigures(text)).toEqual({ busyMs: 1410, cpus: 2 });
});

it("memory is in bytes", () => {
  const text = "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    600 kB\nSwapTotal:  0 kB\nSwapFree: 0 kB\n";
  expect(memoryFigures(text)).toEqual({
    ...{ totalBytes: 1_024_000, availableBytes: 614_400, swapTotalBytes: 0, swapFreeBytes: 0 },
  });
});

it("load has three numbers", () => {
  expect(loadFigures("0.10 1.20 3.00 2/300 4711\n")).toEqual([0.1, 1.2, 3]);
});

it("pressure of a kernel without it is absent, and that of CPUs may have no full", () => {
  expect(pressureFigures("")).toBeNull();
  expect(pressureFigures("some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n")).toEqual({ some10: 1.5 });
  expect(
    pressureFigures("some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n"),
  ).toEqual({ some10: 1.5, full10: 0.25 });
});
