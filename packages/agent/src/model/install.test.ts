import { parseUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { installOf } from "./install.ts";

describe("what an [Install] section says", () => {
  it.each<[string, string, ReturnType<typeof installOf>]>([
    ["nothing where there is none", "[Service]\nExecStart=/bin/a\n", null],
    [
      "who pulls the unit in",
      "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.service\n",
      {
        isAlone: true,
        pulledInBy: [
          { unit: "a.target", by: "wants" },
          { unit: "b.target", by: "wants" },
          { unit: "c.service", by: "requires" },
        ],
        aliases: [],
      },
    ],
    [
      "what an empty value leaves",
      "[Install]\nWantedBy=a.target\nRequiredBy=c.service\nWantedBy=\n",
      { isAlone: true, pulledInBy: [{ unit: "c.service", by: "requires" }], aliases: [] },
    ],
    ["that it is about others too", "[Install]\nAlso=its.socket\n", { isAlone: false, pulledInBy: [], aliases: [] }],
    [
      "its other names",
      "[Install]\nAlias=a.service\nAlias=\nAlias= b.service c%i.service\n",
      { isAlone: true, pulledInBy: [], aliases: ["b.service", "c%i.service"] },
    ],
    ["no path for a name", "[Install]\nWantedBy=../../a.target\n", { isAlone: true, pulledInBy: [], aliases: [] }],
  ])("%s", (_what, text, install) => expect(installOf(parseUnitFile(text))).toEqual(install));
});
