/** JSON schema of a Unit as clients send it. */
export const UNIT_SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    options: {
      type: "array",
      items: {
        type: "object",
        properties: { section: { type: "string" }, name: { type: "string" }, value: { type: "string" } },
        required: ["section", "name"],
      },
    },
    desiredState: { type: "string" },
    currentState: { type: "string" },
    machineID: { type: "string" },
  },
} as const;

/** Every member name of a request body by its lower-case form; clients may write them in any case. */
export const MEMBER_NAMES: ReadonlyMap<string, string> = new Map(
  ["name", "options", "section", "value", "desiredState", "currentState", "machineID", "op", "path"].map((name) => [
    name.toLowerCase(),
    name,
  ]),
);
