import { describe, expect, it } from "vitest";
import { defaultInterface } from "./address.ts";

describe("the machine", () => {
  it("has the address of its default route with the lowest metric", () => {
    const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
    const row = (iface: string, destination: string, metric: number): string =>
      `${iface}\t${destination}\t0100000A\t0003\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;
    expect(
      defaultInterface(
        `${head}${row("eth1", "00000000", 200)}${row("eth0", "00000000", 100)}${row("lo", "0000007F", 0)}`,
        "",
      ),
    ).toBe("eth0");
    expect(
      defaultInterface(
        head,
        `${"0".repeat(32)} 00 ${"0".repeat(32)} 00 fe80 00000400 00000001 00000000 00000003 eth2\n`,
      ),
    ).toBe("eth2");
    expect(defaultInterface("", "")).toBeNull();
  });
});
