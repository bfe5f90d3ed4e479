import { describe, expect, it } from "vitest";
import { formatTable } from "./table.ts";

describe("tables", () => {
  it("line up by tabs as the old fleetctl's", () => {
    expect(
      formatTable([
        ["UNIT", "MACHINE", "SUB"],
        ["hello.service", "113f16a7.../172.17.8.103", "running"],
      ]),
    ).toBe("UNIT\t\tMACHINE\t\t\t\tSUB\nhello.service\t113f16a7.../172.17.8.103\trunning\n");
  });
  it("are empty for no rows", () => expect(formatTable([])).toBe(""));
});

it("tables with painted cells line up as without", () => {
  const rows = [
    ["A", "B"],
    ["longer than a tab", "x"],
  ];
  expect(formatTable(rows, [], (_row, _column, cell) => cell)).toBe(formatTable(rows));
});
