import { OPERATIONS, SCHEMAS } from "@fleet/client/description";

/** Every member name of a request body by its lower-case form; clients may write them in any case. */
export const MEMBER_NAMES: ReadonlyMap<string, string> = new Map(
  OPERATIONS.flatMap(({ body }) => (body === null ? [] : namesIn(SCHEMAS[body]))).map((name) => [
    name.toLowerCase(),
    name,
  ]),
);

/** The names of all properties in a schema, at any depth. */
function namesIn(schema: unknown): readonly string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = "properties" in schema ? Object.keys(schema.properties as object) : [];
  return [...own, ...Object.values(schema).flatMap(namesIn)];
}
